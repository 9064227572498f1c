/** Programs that ask the daemon beside the same programs without it: the same answers, the same rules, whatever becomes of the daemon. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { commandSource } from '../../language/random-commands.ts';
import { SEED } from '../../support/budget.ts';
import { callLater, callProgram, type Daemon, makeNamespaces, startDaemon } from '../../support/daemon.ts';
import { type Installed, installCopy } from '../../support/installed.ts';
import { DIFFERENTIAL, suite } from '../../support/suite.ts';

const COMMANDS = Number(process.env['BPFILTER_COMMANDS'] ?? 60);
const NAME = `bfda${process.pid}`;
const [OURS, THEIRS] = [`${NAME}a`, `${NAME}b`];
const FOLDER = `/run/${NAME}`;
/** Says on standard error when a program does its work itself. */
const TELL = { BPFILTER_DEBUG: '1' };

const undated = (text: string): string => text.replace(/^# .*\n/gm, '');
const MANY = `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${Array.from(
  { length: 60 },
  (_, at) => `-A INPUT -s 10.0.${at}.0/24 -p tcp -m tcp --dport ${at + 1} -j DROP\n`,
).join('')}COMMIT\n`;

suite('the daemon', DIFFERENTIAL, () => {
  let installed: Installed;
  let daemon: Daemon;
  let clean: () => void;

  const ask = (words: readonly string[], input = '', namespace = OURS) =>
    callProgram(installed, namespace, words, { ...daemon.env, ...TELL }, input);
  const alone = (words: readonly string[], input = '', namespace = OURS) =>
    callProgram(installed, namespace, words, { BPFILTER_DAEMON: 'no' }, input);
  const answer = ({ status, stdout, stderr }: ReturnType<typeof ask>) => ({ status, stdout: undated(stdout), stderr });

  beforeAll(() => {
    process.env['XTABLES_LOCKFILE'] = `/run/${OURS}.lock`;
    installed = installCopy();
  });
  beforeEach(async () => {
    clean = makeNamespaces(installed, [OURS, THEIRS]);
    daemon = await startDaemon(installed, FOLDER);
  });
  afterEach(async () => {
    await daemon.stop('SIGKILL');
    clean();
    rmSync(FOLDER, { recursive: true, force: true });
  });
  afterAll(() => {
    installed.close();
    delete process.env['XTABLES_LOCKFILE'];
  });

  it('random commands have the same answers and leave the same rules', { timeout: 600_000 }, () => {
    const source = commandSource(SEED + 2, 'ipv4');
    for (let count = 0; count < COMMANDS; count++) {
      const words = ['iptables', ...source.next()];
      expect({ words, ...answer(ask(words)) }).toEqual({ words, ...answer(alone(words, '', THEIRS)) });
      if (count % 10 !== 9) continue;
      const saved = answer(ask(['iptables-save', '-c']));
      expect({ words, ...saved }).toEqual({ words, ...answer(alone(['iptables-save', '-c'], '', THEIRS)) });
      // A process that knows nothing of what the daemon did reads the same.
      expect(answer(alone(['iptables-save', '-c']))).toEqual(saved);
    }
  });

  it('rules among many come and go in memory; who works without the daemon sees them, and the other way round', () => {
    expect(answer(ask(['iptables-restore'], MANY))).toEqual({ status: 0, stdout: '', stderr: '' });
    const generation = (): string => /^generation \d+/.exec(alone(['bpfilter', 'list']).stdout)![0];
    const before = generation();
    const rule = ['INPUT', '-s', '10.0.3.4', '-p', 'tcp', '--dport', '9', '-j', 'DROP'];
    for (const command of ['-A', '-C', '-D', '-I', '-C'])
      expect(answer(ask(['iptables', command, ...rule]))).toMatchObject({ status: 0 });
    expect(answer(ask(['iptables', '-D', 'INPUT', '5']))).toMatchObject({ status: 0 });
    expect(answer(ask(['iptables', '-R', 'INPUT', '4', '-s', '10.9.9.9', '-p', 'tcp', '-j', 'DROP']))).toMatchObject({
      status: 0,
    });
    expect(generation()).toBe(before);
    const list = ['iptables', '-L', '-n', '-v', '--line-numbers'];
    expect(answer(ask(list))).toEqual(answer(alone(list)));
    expect(answer(alone(['iptables', '-A', 'INPUT', '-s', '1.2.3.4']))).toMatchObject({ status: 0 });
    expect(generation()).not.toBe(before);
    expect(answer(ask(['iptables', '-S']))).toEqual(answer(alone(['iptables', '-S'])));
    expect(answer(ask(['iptables', '-A', 'INPUT', '-s', '1.2.3.5']))).toMatchObject({ status: 0 });
    expect(alone(['iptables', '-S']).stdout.split('\n').slice(-3, -1)).toEqual([
      '-A INPUT -s 1.2.3.4/32',
      '-A INPUT -s 1.2.3.5/32',
    ]);
    // Nothing in force any more, by somebody else's hand.
    expect(alone(['bpfilter', 'flush'])).toMatchObject({ status: 0 });
    expect(answer(ask(['iptables-save']))).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(answer(ask(['iptables', '-A', 'INPUT', '-s', '1.2.3.6']))).toMatchObject({ status: 0, stderr: '' });
    expect(alone(['iptables', '-S', 'INPUT']).stdout).toBe('-P INPUT ACCEPT\n-A INPUT -s 1.2.3.6/32\n');
  });

  it('works in the namespace of whoever asks, and for bpfilter apply, save and list', () => {
    const folder = mkdtempSync(join(tmpdir(), 'bfda-'));
    try {
      const file = join(folder, 'rules.v4');
      writeFileSync(file, MANY);
      const applied = [ask(['bpfilter', 'apply', file]), alone(['bpfilter', 'apply', file], '', THEIRS)];
      expect(answer(applied[0]!)).toEqual(answer(applied[1]!));
      expect(answer(ask(['bpfilter', 'apply', '-'], MANY.replace('tcp --dport 3 ', 'tcp --dport 77 ')))).toMatchObject({
        status: 0,
        stderr: '',
      });
      expect(answer(ask(['bpfilter', 'save']))).toEqual(answer(alone(['bpfilter', 'save'])));
      expect(answer(ask(['bpfilter', 'list']))).toEqual(answer(alone(['bpfilter', 'list'])));
      expect(ask(['iptables', '-S'], '', THEIRS).stdout).not.toContain('--dport 77 ');
      expect(answer(ask(['bpfilter', 'apply', '/nonexistent']))).toEqual(
        answer(alone(['bpfilter', 'apply', '/nonexistent'])),
      );
      // Files are those of the program that asks.
      const saved = join(folder, 'saved');
      expect(answer(ask(['iptables-save', '-f', saved]))).toEqual({ status: 0, stdout: '', stderr: '' });
      expect(undated(readFileSync(saved, 'utf8'))).toContain('--dport 77 ');
      expect(answer(ask(['iptables-restore', saved]))).toEqual({ status: 0, stdout: '', stderr: '' });
      for (const words of [
        ['iptables-save', '-f', '/nonexistent/file'],
        ['iptables-restore', '/nonexistent/file'],
        ['iptables-restore', '--version'],
        ['iptables', '-A', 'OUTPUT', '-m', 'owner', '--uid-owner', 'nobody'],
        ['iptables', '-L'],
        ['iptables', '--unknown'],
      ])
        expect({ words, ...answer(ask(words)) }).toEqual({ words, ...answer(alone(words)) });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('a lock that others hold is waited for, without keeping others from being served', async () => {
    expect(ask(['iptables', '-A', 'INPUT', '-s', '1.1.1.1']).status).toBe(0);
    const holder = spawnSync('sh', [
      '-c',
      `flock ${process.env['XTABLES_LOCKFILE']} sleep 3 >/dev/null 2>&1 & echo $!`,
    ]);
    await sleep(300);
    const busy = { ...daemon.env, ...TELL };
    const waiting = callLater(installed, OURS, ['iptables', '-w', '-A', 'INPUT', '-s', '1.1.1.2'], busy);
    await sleep(200);
    const refused = ask(['iptables', '-w', '1', '-A', 'INPUT', '-s', '1.1.1.3']);
    expect(refused.status).toBe(4);
    expect(refused.stderr).toContain('Another app is currently holding the xtables lock. Stopped waiting after 1s.');
    expect(ask(['iptables-save']).stdout).toContain('-A INPUT -s 1.1.1.1/32');
    expect(await waiting).toEqual({ status: 0, stderr: '' });
    expect(alone(['iptables', '-S', 'INPUT']).stdout).toBe(
      '-P INPUT ACCEPT\n-A INPUT -s 1.1.1.1/32\n-A INPUT -s 1.1.1.2/32\n',
    );
    expect(holder.status).toBe(0);
  });

  it('a second one says that it is one too many; one that stops or is killed leaves the rules in force', async () => {
    expect(ask(['iptables-restore'], MANY).status).toBe(0);
    expect(statSync(daemon.socket).mode & 0o777).toBe(0o600);
    const second = spawnSync(
      process.execPath,
      [join(installed.launcher, '..', 'bpfilterd'), '--socket', daemon.socket],
      {
        encoding: 'utf8',
      },
    );
    expect(second).toMatchObject({ status: 4, stdout: '' });
    expect(second.stderr).toContain(`another bpfilterd is at work on ${daemon.socket}`);
    expect(await daemon.stop()).toBe(0);
    expect(existsSync(daemon.socket)).toBe(false);
    expect(ask(['iptables', '-S']).stderr).toContain('without the daemon');
    expect(ask(['iptables', '-S']).stdout).toContain('--dport 60 -j DROP');
    daemon = await startDaemon(installed, FOLDER);
    expect(answer(ask(['iptables', '-D', 'INPUT', '1']))).toEqual({ status: 0, stdout: '', stderr: '' });
    await daemon.stop('SIGKILL');
    // The socket of the dead one is still there.
    expect(existsSync(daemon.socket)).toBe(true);
    expect(alone(['iptables', '-S']).stdout.match(/DROP/g)).toHaveLength(59);
    expect(callProgram(installed, OURS, ['iptables', '-A', 'INPUT'], daemon.env)).toMatchObject({
      status: 0,
      stderr: '',
    });
    daemon = await startDaemon(installed, FOLDER);
    expect(answer(ask(['iptables', '-D', 'INPUT', '60']))).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it('a daemon of another version is not asked, and one that says nothing useful is left alone', async () => {
    await daemon.stop();
    const server = createServer((socket) => socket.end(Buffer.from([5, 0, 0, 0, 8, 110, 111, 110, 101])));
    await new Promise<void>((resolve) => server.listen(daemon.socket, resolve));
    chmodSync(daemon.socket, 0o600);
    const asked = await callLater(installed, OURS, ['iptables', '-A', 'INPUT'], { ...daemon.env, ...TELL });
    expect(asked).toEqual({ status: 0, stderr: 'iptables: without the daemon: none\n' });
    server.close();
    daemon = await startDaemon(installed, FOLDER);
    // The lock's directory is another one for the program than for the daemon: they would not exclude each other.
    const elsewhere = spawnSync(
      'unshare',
      ['-m', 'sh', '-c', `mount -t tmpfs none /mnt && exec "$@"`, 'sh', 'ip', 'netns', 'exec', OURS].concat([
        process.execPath,
        join(installed.launcher, '..', 'iptables'),
        '-A',
        'INPUT',
        '-s',
        '3.3.3.3',
      ]),
      { encoding: 'utf8', env: { ...process.env, ...daemon.env, ...TELL, XTABLES_LOCKFILE: '/mnt/lock' } },
    );
    expect(elsewhere).toMatchObject({
      status: 0,
      stderr: 'iptables: without the daemon: the daemon has another directory where the lock is\n',
    });
    // Without the capabilities that the work takes, the daemon does not lend its own.
    const weak = spawnSync(
      'setpriv',
      ['--bounding-set', '-net_admin', '--inh-caps', '-net_admin', 'ip', 'netns', 'exec', OURS].concat([
        process.execPath,
        join(installed.launcher, '..', 'iptables'),
        '-A',
        'INPUT',
        '-s',
        '4.4.4.4',
      ]),
      { encoding: 'utf8', env: { ...process.env, ...daemon.env, ...TELL } },
    );
    expect(weak.status).not.toBe(0);
    expect(weak.stderr).toContain('it serves root only, with the capabilities that bpfilter needs');
    expect(alone(['iptables', '-S', 'INPUT']).stdout).toBe('-P INPUT ACCEPT\n-A INPUT\n-A INPUT -s 3.3.3.3/32\n');
  });
});
