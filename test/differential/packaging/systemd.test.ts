/** The units under a real systemd, process 1 of namespaces of its own: order at boot, readiness, stopping and dying without a gap. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Installed, installCopy } from '../../support/installed.ts';
import { DIFFERENTIAL, REPOSITORY, suite } from '../../support/suite.ts';

const PORT = 5555;
const RULES = `*filter\n-A INPUT -p udp -m udp --dport ${PORT}\n-A INPUT -p udp -m udp --dport 9 -j DROP\nCOMMIT\n`;
const LISTED = `-P INPUT ACCEPT\n-A INPUT -p udp -m udp --dport ${PORT}\n-A INPUT -p udp -m udp --dport 9 -j DROP\n`;

/** A control group for the machine to be, in the hierarchy that systemd wants; undefined where none can be made. */
function makeGroup(): string | undefined {
  const mount = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, , type]) => type === 'cgroup2')?.[1];
  if (mount === undefined || !existsSync('/lib/systemd/systemd')) return undefined;
  const group = join(mount, `bfsd${process.pid}`);
  try {
    mkdirSync(group);
    return group;
  } catch {
    return undefined;
  }
}

/** Nothing of ours that says where a daemon or a lock is. */
const { XTABLES_LOCKFILE: _lock, NOTIFY_SOCKET: _socket, ...CLEAN } = process.env;

const group = process.getuid?.() === 0 ? makeGroup() : undefined;

suite(`systemd${group === undefined ? ' (skipped: it cannot be process 1 here)' : ''}`, DIFFERENTIAL, () => {
  let installed: Installed | undefined;
  let bin = '';
  let folder = '';
  let child: ChildProcess;
  /** Process 1, as seen from here. */
  let init = '';

  const inside = (...words: readonly string[]): readonly string[] => [
    '-t',
    init,
    '-m',
    '-p',
    '-n',
    '-u',
    '-i',
    ...words,
  ];
  const call = (...words: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync('nsenter', inside(...words), { encoding: 'utf8', env: CLEAN });
    expect({ words, status, stderr }).toEqual({ words, status: 0, stderr: '' });
    return stdout;
  };
  const program = (name: string, ...words: readonly string[]): string =>
    call(process.execPath, join(bin, name), ...words);
  const systemctl = (...words: readonly string[]): string =>
    spawnSync('nsenter', inside('systemctl', ...words), { encoding: 'utf8', env: CLEAN }).stdout.trim();
  const until = async (what: () => boolean): Promise<void> => {
    for (let tries = 0; tries < 300 && !what(); tries++) await sleep(100);
    expect(what()).toBe(true);
  };
  const daemon = (): string => systemctl('show', '-P', 'MainPID', 'bpfilterd');

  beforeAll(async () => {
    if (group === undefined) return;
    const copy = installCopy();
    installed = copy;
    folder = mkdtempSync(join(tmpdir(), 'bfsd-'));
    const rules = join(folder, 'rules');
    mkdirSync(join(folder, 'work'));
    writeFileSync(rules, RULES);
    bin = join(copy.launcher, '..');
    const script = [
      join(import.meta.dirname, 'systemd.sh'),
      join(folder, 'work'),
      process.execPath,
      bin,
      join(REPOSITORY, 'packaging'),
      rules,
    ];
    const words = ['unshare', '-m', '-p', '-n', '-u', '-i', '-C', '-f', '--mount-proc', 'sh', ...script];
    const enter = `echo $$ > ${group}/cgroup.procs; exec "$@"`;
    child = spawn('sh', ['-c', enter, 'sh', ...words], { stdio: 'ignore' });
    const children = `/proc/${child.pid}/task/${child.pid}/children`;
    await until(() => {
      init = existsSync(children) ? readFileSync(children, 'utf8').trim() : '';
      return init !== '' && systemctl('is-active', 'trial.target') === 'active';
    });
  });
  afterAll(async () => {
    if (group === undefined) return;
    if (init !== '') {
      spawnSync('nsenter', inside(process.execPath, join(bin, 'bpfilter'), 'flush', '-w', '10'), { env: CLEAN });
      const ended = new Promise((resolve) => child.on('close', resolve));
      process.kill(Number(init), 'SIGKILL');
      await ended;
    }
    // Processes leave their groups a moment later.
    await sleep(200);
    for (const path of execFileSync('find', [group, '-depth', '-type', 'd'], { encoding: 'utf8' }).trim().split('\n'))
      rmdirSync(path);
    installed?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.skipIf(group === undefined)(
    'rules are in force before the network comes up, and the daemon says when it is ready',
    () => {
      expect(call('cat', '/run/rules-at-network-up')).toBe(LISTED);
      expect(systemctl('is-active', 'bpfilter', 'bpfilterd', 'network-pre.target')).toBe('active\nactive\nactive');
      expect(systemctl('show', '-P', 'Type', 'bpfilterd')).toBe('notify');
    },
  );

  it.skipIf(group === undefined)(
    'killed, restarted and stopped under traffic: no packet goes uncounted',
    { timeout: 120_000 },
    async () => {
      const sender = spawn(
        'nsenter',
        inside(process.execPath, join(import.meta.dirname, '..', 'daemon', 'sender.mjs'), String(PORT)),
        { stdio: ['pipe', 'pipe', 'inherit'] },
      );
      let said = '';
      sender.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      const first = daemon();
      systemctl('kill', '--signal=KILL', '--kill-whom=main', 'bpfilterd');
      await until(() => systemctl('is-active', 'bpfilterd') === 'active' && !['0', first].includes(daemon()));
      program('iptables', '-A', 'INPUT', '-s', '10.0.0.9', '-j', 'DROP');
      const second = daemon();
      systemctl('restart', 'bpfilterd');
      expect(['0', first, second]).not.toContain(daemon());
      program('iptables', '-D', 'INPUT', '-s', '10.0.0.9', '-j', 'DROP');
      systemctl('stop', 'bpfilterd');
      expect(systemctl('show', '-P', 'Result', 'bpfilterd')).toBe('success');
      expect(program('iptables', '-S', 'INPUT')).toBe(LISTED);
      await sleep(100);
      const closed = new Promise((resolve) => sender.on('close', resolve));
      sender.stdin.end();
      await closed;
      const counted = /^\[(\d+):\d+\] -A INPUT -p udp -m udp --dport 5555$/m.exec(program('iptables-save', '-c'))?.[1];
      expect(Number(said)).toBeGreaterThan(1000);
      expect(counted).toBe(said.trim());
    },
  );
});
