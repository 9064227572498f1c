/** bpfilterd: starts, says that it is ready, serves until it is told to stop. The rules stay in force, whatever becomes of it. */

import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname } from 'node:path';
import { describeFailure } from '../commands/failures.ts';
import { requiredKernelFacts } from '../firewall/requirements.ts';
import { acquireLock, type FileLock } from '../kernel/lock.ts';
import { notifyManager } from '../kernel/notify.ts';
import { packageVersion } from './client.ts';
import { serveConnection } from './connection.ts';
import { type DeviceWatch, watchDevices } from './devices.ts';
import { memoryCollector } from './memory.ts';
import { openNamespaces } from './namespaces.ts';
import { DEFAULT_SOCKET } from './protocol.ts';
import { MANIFEST } from './serve.ts';

const EXIT = { done: 0, failure: 1, usage: 2, denied: 4 } as const;

const USAGE = `Usage: bpfilterd [--socket PATH]

Keeps compiled rules at hand for iptables, its family and bpfilter, which work without it, too, only slower.
  --socket PATH  listen there (default: BPFILTER_SOCKET, else ${DEFAULT_SOCKET})
  --version      print the version
  --help         print this
It runs in the foreground until SIGTERM or SIGINT; the rules stay in force.
`;

/** How long nothing must have been asked before memory is put in order. */
const REST_MS = 2000;

/** Resolves to the exit status, when it has been told to stop. */
export async function runDaemon(argv: readonly string[]): Promise<number> {
  const options = readOptions(argv);
  if (typeof options === 'number') return options;
  const { path } = options;
  let lock: FileLock | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    lock = acquireLock(`${path}.lock`, 0);
    // Loads the door to the system and the kernel's types, too: all of that is ready when the first program asks.
    requiredKernelFacts();
    await serveUntilStopped(path);
    return EXIT.done;
  } catch (error) {
    if (error instanceof Error && error.name === 'LockTimeoutError')
      return complain(`another bpfilterd is at work on ${path}; nothing has changed`, EXIT.denied);
    const { message, status } = describeFailure(error);
    return complain(message, status);
  } finally {
    lock?.release();
  }
}

function readOptions(argv: readonly string[]): { readonly path: string } | number {
  const [word, value, ...rest] = argv;
  const { BPFILTER_SOCKET: path = DEFAULT_SOCKET } = process.env;
  if (word === undefined) return { path };
  if (word === '--socket' && value !== undefined && rest.length === 0) return { path: value };
  if (word === '--help' || word === '-h') {
    process.stdout.write(USAGE);
    return EXIT.done;
  }
  if (word === '--version' || word === '-V') {
    process.stdout.write(`bpfilterd ${packageVersion(MANIFEST)}\n`);
    return EXIT.done;
  }
  return complain(`"${argv.join(' ')}" is not understood\n${USAGE.trimEnd()}`, EXIT.usage);
}

function complain(text: string, status: number): number {
  process.stderr.write(`bpfilterd: ${text}\n`);
  return status;
}

/** What systemd asked to be told; nothing where nobody did. */
function tell(state: string): void {
  const { NOTIFY_SOCKET: name = '' } = process.env;
  if (name !== '') notifyManager(name, state);
}

async function serveUntilStopped(path: string): Promise<void> {
  const namespaces = openNamespaces();
  const collect = memoryCollector();
  const running = new Set<Promise<void>>();
  let quiet: NodeJS.Timeout | undefined;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    clearTimeout(quiet);
    const serving = serveConnection(socket, namespaces).finally(() => {
      running.delete(serving);
      clearTimeout(quiet);
      quiet = setTimeout(() => {
        namespaces.rest(Date.now());
        collect();
      }, REST_MS);
    });
    running.add(serving);
  });
  const housekeeping = setInterval(() => namespaces.rest(Date.now()), 60_000);
  let devices: DeviceWatch | undefined;
  try {
    devices = watchDevices((text) => process.stderr.write(`bpfilterd: ${text}\n`));
    const stopped = stopSignal();
    await listen(server, path);
    tell('READY=1');
    await stopped;
    tell('STOPPING=1');
  } finally {
    clearInterval(housekeeping);
    devices?.close();
    await close(server, path, running);
    clearTimeout(quiet);
    namespaces.close();
  }
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}

async function listen(server: Server, path: string): Promise<void> {
  // What a daemon that was killed has left: this one holds the lock.
  rmSync(path, { force: true });
  const umask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(umask);
  }
  chmodSync(path, 0o600);
}

/** New programs find no daemon from here on; those that are being served are served to their end. */
async function close(server: Server, path: string, running: ReadonlySet<Promise<void>>): Promise<void> {
  rmSync(path, { force: true });
  server.close();
  await Promise.all(running);
}
