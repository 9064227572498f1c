/** What can go wrong around the daemon: killed in the middle of a change, no room for its files, no descriptors left. The rules stay whole. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { createRandom } from '../../language/random.ts';
import { SEED, SOAKING } from '../../support/budget.ts';
import { callLater, callProgram, makeNamespaces, startDaemon } from '../../support/daemon.ts';
import { type Installed, installCopy } from '../../support/installed.ts';
import { DIFFERENTIAL, suite } from '../../support/suite.ts';

const NAME = `bfdf${process.pid}`;
const FOLDER = `/run/${NAME}`;
const KILLS = SOAKING ? 100 : 6;
const INTERRUPTED =
  /^iptables(-restore)?: the daemon ended while it changed the rules: the old or the new ones are in force/;

const textOf = (port: number, rules: number): string =>
  `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${Array.from(
    { length: rules },
    (_, at) => `-A INPUT -s 10.${at >> 8}.${at & 255}.0/24 -p tcp -m tcp --dport ${port} -j DROP\n`,
  ).join('')}COMMIT\n`;

suite('faults around the daemon', DIFFERENTIAL, () => {
  let installed: Installed;
  let clean: () => void;
  beforeAll(() => {
    process.env['XTABLES_LOCKFILE'] = `/run/${NAME}.lock`;
    installed = installCopy();
  });
  beforeEach(() => {
    clean = makeNamespaces(installed, [NAME]);
  });
  afterEach(() => {
    clean();
    rmSync(FOLDER, { recursive: true, force: true });
  });
  afterAll(() => {
    installed.close();
    delete process.env['XTABLES_LOCKFILE'];
  });

  const alone = (words: readonly string[], input = '') =>
    callProgram(installed, NAME, words, { BPFILTER_DAEMON: 'no' }, input);
  const rules = (): readonly string[] =>
    alone(['iptables', '-S', 'INPUT'])
      .stdout.split('\n')
      .filter((line) => line.startsWith('-A'));
  const launcher = (name: string): string => join(installed.launcher, '..', name);

  it(`killed while it changes rules, ${KILLS} times`, { timeout: 600_000 }, async () => {
    const random = createRandom(SEED);
    expect(alone(['iptables-restore'], textOf(1, 400)).status).toBe(0);
    let expected = rules();
    for (let kill = 0; kill < KILLS; kill++) {
      const daemon = await startDaemon(installed, FOLDER);
      // The first change makes the daemon warm, so that the second can be made in memory.
      const first = ['-A', 'INPUT', '-s', `10.50.0.${kill}`, '-p', 'tcp', '--dport', '9', '-j', 'DROP'];
      const early = random.below(2) === 0;
      if (!early) {
        expect(callProgram(installed, NAME, ['iptables', ...first], daemon.env)).toMatchObject({
          status: 0,
          stderr: '',
        });
        expected = rules();
      }
      const change = callLater(installed, NAME, ['iptables', '-w', '-D', 'INPUT', '1'], daemon.env);
      await sleep(early ? 100 + random.below(500) : 60 + random.below(60));
      await daemon.stop('SIGKILL');
      const { status, stderr } = await change;
      const now = rules();
      const without = expected.slice(1);
      if (status === 0) expect({ stderr, now }).toEqual({ stderr: '', now: without });
      else {
        expect({ status, stderr }).toEqual({ status: 4, stderr: expect.stringMatching(INTERRUPTED) });
        expect([expected, without]).toContainEqual(now);
      }
      expected = now;
    }
    expect(alone(['iptables', '-A', 'INPUT', '-s', '10.60.0.1']).status).toBe(0);
    expect(rules()).toEqual([...expected, '-A INPUT -s 10.60.0.1/32']);
  });

  it('no room for lock, socket or state: a message, its status, and the old rules', () => {
    expect(alone(['iptables-restore'], textOf(1, 3)).status).toBe(0);
    const before = rules();
    /** In a mount namespace of its own, where nothing can be made below `full`. */
    const cramped = (full: string, words: readonly string[], env: Record<string, string> = {}) =>
      spawnSync(
        'unshare',
        [
          '-m',
          'sh',
          '-c',
          `mkdir -p ${full} && mount -t tmpfs -o nr_inodes=1 none ${full} && exec "$@"`,
          'sh',
          ...words,
        ],
        { encoding: 'utf8', env: { ...process.env, BPFILTER_DAEMON: 'no', ...env } },
      );
    const daemon = cramped('/mnt', [process.execPath, launcher('bpfilterd'), '--socket', '/mnt/socket']);
    expect(daemon).toMatchObject({ status: 1, stderr: expect.stringMatching(/^bpfilterd: ENOSPC: no space left/) });
    const inside = ['nsenter', `--net=/run/netns/${NAME}`, process.execPath];
    const append = [...inside, launcher('iptables'), '-A', 'INPUT', '-s', '1.1.1.1'];
    expect(cramped('/mnt', append, { XTABLES_LOCKFILE: '/mnt/lock' })).toMatchObject({
      status: 4,
      stderr: "Fatal: can't open lock file /mnt/lock: No space left on device\n",
    });
    expect(cramped('/run/bpfilter', append)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^iptables v1\.8\.9 \(bpfilter\): ENOSPC: no space left/),
    });
    // As many descriptors as it takes to start, and not enough for a generation.
    const starved = spawnSync('prlimit', ['--nofile=26', ...append], {
      encoding: 'utf8',
      env: { ...process.env, BPFILTER_DAEMON: 'no' },
    });
    expect(starved).toMatchObject({ status: 1, stderr: expect.stringMatching(/too many open files/i) });
    expect(rules()).toEqual(before);
    expect(alone(['iptables', '-A', 'INPUT', '-s', '1.1.1.1']).status).toBe(0);
    expect(rules()).toHaveLength(before.length + 1);
  });

  /** Commands of bpf(2), in the order in which a change comes to them. */
  const CALLS = { MAP_CREATE: 0, PROG_LOAD: 5, OBJ_PIN: 6, LINK_CREATE: 28 } as const;
  const refusing = (name: keyof typeof CALLS): readonly string[] => [
    'python3',
    join(import.meta.dirname, 'refusing.py'),
    String(constants.errno.ENOMEM),
    String(CALLS[name]),
  ];

  it('no memory in the kernel, at any step: a message, status 1, and the old rules', { timeout: 120_000 }, async () => {
    expect(alone(['iptables-restore'], textOf(1, 3)).status).toBe(0);
    const list = (): string => alone(['iptables-save', '-c']).stdout.replaceAll(/^#.*\n/gm, '');
    const before = list();
    // A hook that has no link yet, and an answer, which takes a bridge.
    const append = ['iptables', '-A', 'OUTPUT', '-s', '1.1.1.1', '-j', 'REJECT'];
    for (const name of Object.keys(CALLS) as (keyof typeof CALLS)[]) {
      const [program = '', ...argv] = append;
      const words = [...refusing(name), process.execPath, launcher(program), ...argv];
      const { status, stdout, stderr } = spawnSync('ip', ['netns', 'exec', NAME, ...words], {
        encoding: 'utf8',
        env: { ...process.env, BPFILTER_DAEMON: 'no' },
      });
      expect({ name, status, stdout, stderr }).toEqual({
        name,
        status: 1,
        stdout: '',
        stderr: expect.stringMatching(
          new RegExp(`^iptables v1\\.8\\.9 \\(bpfilter\\): bpf\\(${name}\\): out of memory \\(ENOMEM\\)[^\\n]*\\n$`),
        ),
      });
      expect(list()).toBe(before);
    }
    const daemon = await startDaemon(installed, FOLDER, undefined, refusing('OBJ_PIN'));
    try {
      const { status, stderr } = callProgram(installed, NAME, append, daemon.env);
      expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('out of memory (ENOMEM)') });
      expect(list()).toBe(before);
    } finally {
      await daemon.stop();
    }
    expect(alone(append)).toMatchObject({ status: 0, stderr: '' });
    expect(list()).toBe(
      before.replace(
        'COMMIT\n',
        '[0:0] -A OUTPUT -s 1.1.1.1/32 -j REJECT --reject-with icmp-port-unreachable\nCOMMIT\n',
      ),
    );
  });

  it('does not wait for itself where it is what the system calls iptables', { timeout: 60_000 }, async () => {
    const folder = join(FOLDER, 'bin');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const wrapper = join(folder, 'iptables-legacy-restore');
    writeFileSync(wrapper, `#!/bin/sh\nexec ${process.execPath} ${launcher('iptables-restore')} "$@"\n`, {
      mode: 0o755,
    });
    const path = process.env['PATH'] ?? '';
    process.env['PATH'] = `${folder}:${path}`;
    const daemon = await startDaemon(installed, FOLDER).finally(() => {
      process.env['PATH'] = path;
    });
    try {
      const words = ['iptables', '-t', 'nat', '-A', 'POSTROUTING', '-o', 'eth9', '-j', 'MASQUERADE'];
      expect(await callLater(installed, NAME, words, daemon.env)).toEqual({ status: 0, stderr: '' });
    } finally {
      await daemon.stop('SIGKILL');
    }
  });

  it('keeps no more than a few namespaces, and what it keeps of those that go', async () => {
    const daemon = await startDaemon(installed, FOLDER);
    const names = Array.from({ length: 12 }, (_, at) => `${NAME}n${at}`);
    const cleanAll = makeNamespaces(installed, names);
    try {
      for (const name of names)
        expect(callProgram(installed, name, ['iptables', '-A', 'INPUT'], daemon.env)).toMatchObject({ status: 0 });
      const open = spawnSync('sh', ['-c', `ls -l /proc/${daemon.child.pid}/fd | grep -c net:`], { encoding: 'utf8' });
      expect(Number(open.stdout)).toBeLessThanOrEqual(8);
      for (const name of names) {
        expect(callProgram(installed, name, ['iptables', '-S', 'INPUT'], daemon.env).stdout).toContain('-A INPUT\n');
        expect(callProgram(installed, name, ['bpfilter', 'flush']).status).toBe(0);
        expect(callProgram(installed, name, ['iptables-save'], daemon.env)).toMatchObject({ status: 0, stdout: '' });
      }
      const none = spawnSync('sh', ['-c', `ls -l /proc/${daemon.child.pid}/fd | grep -c net:`], { encoding: 'utf8' });
      expect(Number(none.stdout)).toBe(0);
    } finally {
      await daemon.stop();
      cleanAll();
    }
  });
});
