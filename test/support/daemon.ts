/** bpfilterd as a process of its own, on a socket of its own. */
import { type ChildProcess, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Installed } from './installed.ts';

export interface Daemon {
  readonly child: ChildProcess;
  readonly socket: string;
  /** What programs that are to ask this daemon have in their environment. */
  readonly env: Readonly<Record<string, string>>;
  stderr(): string;
  /** Sends a signal and resolves to its exit status, null when the signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/**
 * Starts a daemon and waits until it listens or has ended. `folder`: of its socket, made when it is not there; `namespace`: where it runs, if
 * not here; `under`: a command that starts it.
 */
export async function startDaemon(
  installed: Installed,
  folder: string,
  namespace?: string,
  under: readonly string[] = [],
): Promise<Daemon> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const socket = join(folder, 'bpfilterd.sock');
  const env = { BPFILTER_SOCKET: socket };
  const elsewhere = namespace === undefined ? [] : ['nsenter', `--net=/run/netns/${namespace}`];
  const daemon = [process.execPath, join(installed.launcher, '..', 'bpfilterd')];
  const [program = '', ...argv] = [...elsewhere, ...under, ...daemon];
  const child = spawn(program, argv, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env, NOTIFY_SOCKET: '' },
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  for (let tries = 0; child.exitCode === null && !(await listens(socket)); tries++) {
    if (tries > 3000) throw new Error(`the daemon does not start: ${stderr}`);
    await sleep(20);
  }
  return {
    child,
    socket,
    env,
    stderr: () => stderr,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      return ended;
    },
  };
}

/** Whether somebody accepts connections there: a daemon that was killed leaves its socket. */
function listens(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.on('connect', () => resolve(true));
    probe.on('error', () => resolve(false));
    probe.on('close', () => resolve(false));
    probe.on('connect', () => probe.destroy());
  });
}

/** Runs one of the programs in a namespace and waits. */
export function callProgram(
  installed: Installed,
  namespace: string,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input = '',
): SpawnSyncReturns<string> {
  const [program = '', ...argv] = words;
  const launcher = join(installed.launcher, '..', program);
  return spawnSync('ip', ['netns', 'exec', namespace, process.execPath, launcher, ...argv], {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, ...env },
  });
}

/** The same without waiting here; resolves to the status and the messages. */
export function callLater(
  installed: Installed,
  namespace: string,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number | null; readonly stderr: string }> {
  const [program = '', ...argv] = words;
  const launcher = join(installed.launcher, '..', program);
  return new Promise((resolve) => {
    const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, launcher, ...argv], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('close', (status) => resolve({ status, stderr }));
  });
}

/** Makes empty namespaces; the answer removes them and what bpfilter has in them. */
export function makeNamespaces(installed: Installed, names: readonly string[]): () => void {
  for (const name of names) {
    spawnSync('ip', ['netns', 'add', name]);
    spawnSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  }
  return () => {
    for (const name of names) {
      callProgram(installed, name, ['bpfilter', 'flush', '-w', '10'], { BPFILTER_DAEMON: 'no' });
      spawnSync('ip', ['netns', 'del', name]);
      rmSync(`/run/${name}.lock`, { force: true });
    }
  };
}
