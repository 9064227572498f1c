/** iptables-legacy under `bpfilter supervise` beside iptables-legacy alone: the same scripts, the same answers, the same rules and counters. */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { FAMILIES, type Family, TABLES } from '../../src/packet/netfilter.ts';
import { commandSource } from '../language/random-commands.ts';
import { SEED } from '../support/budget.ts';
import { run } from '../support/command.ts';
import { type Installed, installCopy } from '../support/installed.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';

/** How many commands a script has; BPFILTER_COMMANDS asks for more. */
const MANY = Number(process.env['BPFILTER_COMMANDS'] ?? 240);
const NAME = { ipv4: 'iptables', ipv6: 'ip6tables' } as const satisfies Record<Family, string>;
const PREFIX = `bfsv${process.pid}`;
const [OURS, THEIRS] = [`${PREFIX}a`, `${PREFIX}b`];
const SCRIPT = `/tmp/${PREFIX}.sh`;

interface Answer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
const withoutDates = (text: string): string => text.replace(/^# .*\n/gm, '');

suite('iptables under supervision', DIFFERENTIAL, () => {
  let installed: Installed;

  const execute = (namespace: string, argv: readonly string[], lock = namespace): Answer => {
    const { status, stdout, stderr } = spawnSync('ip', ['netns', 'exec', namespace, ...argv], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      env: { ...process.env, XTABLES_LOCKFILE: `/run/${lock}.lock` },
    });
    return { status, stdout: withoutDates(stdout), stderr };
  };
  const supervised = (argv: readonly string[], ...options: readonly string[]): Answer =>
    execute(OURS, [process.execPath, installed.launcher, 'supervise', ...options, '--', ...argv]);
  const bpfilter = (...argv: readonly string[]): Answer =>
    execute(OURS, [process.execPath, installed.launcher, ...argv]);
  const script = (...lines: readonly string[]): readonly string[] => {
    writeFileSync(SCRIPT, `${lines.join('\n')}\n`);
    return ['sh', SCRIPT];
  };
  const bothWays = (argv: readonly string[], ...options: readonly string[]): void => {
    expect(supervised(argv, ...options)).toEqual(execute(THEIRS, argv));
  };

  beforeAll(() => {
    installed = installCopy();
  });
  beforeEach(() => {
    for (const name of [OURS, THEIRS]) {
      run('ip', ['netns', 'add', name]);
      run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    }
  });
  afterEach(() => {
    bpfilter('flush');
    for (const name of [OURS, THEIRS]) {
      spawnSync('ip', ['netns', 'del', name]);
      rmSync(`/run/${name}.lock`, { force: true });
    }
  });
  afterAll(() => {
    rmSync(SCRIPT, { force: true });
    installed.close();
  });

  it.each(FAMILIES)('%s: a script of random commands', (family) => {
    const source = commandSource(SEED + 2, family);
    const program = `${NAME[family]}-legacy`;
    const lines = TABLES.map((table) => `${program} -t ${table} -F`);
    for (let count = 0; count < MANY; count++) {
      lines.push(`echo '== ${count}'; echo '== ${count}' >&2`);
      lines.push(`${program} ${source.next().map(quoted).join(' ')}; echo "status $?"`);
      lines.push(`${program}-save -c`);
      // Time enough for programs to take over, every now and then.
      if (count % 12 === 11) lines.push('sleep 0.4');
    }
    bothWays(script(...lines), '--settle', '20');
  });

  it('one rule after the other, in memory: rules, counters, positions', () => {
    const send = (to: number): string => `bash -c 'echo x >/dev/udp/127.0.0.${to}/9'; sleep 0.05`;
    const lines = [
      '(echo "*filter"; for i in $(seq 1 60); do echo "-A INPUT -d 127.0.0.$i -j ACCEPT"; done; echo COMMIT) | iptables-legacy-restore',
      'sleep 1.5',
      send(3),
      'iptables-legacy -nvxL INPUT',
      'iptables-legacy -A INPUT -d 127.0.0.100 -j DROP',
      'iptables-legacy -I INPUT 3 -d 127.0.0.101 -j DROP',
      'iptables-legacy -D INPUT 5; iptables-legacy -R INPUT 7 -d 127.0.0.107 -j ACCEPT',
      'iptables-legacy-save -c',
      send(4),
      send(101),
      send(107),
      'iptables-legacy-save -c',
      'iptables-legacy -Z INPUT 4; iptables-legacy-save -c',
      'iptables-legacy -Z; iptables-legacy-save -c',
      'iptables-legacy -A INPUT -c 5 500 -d 127.0.0.55 -j DROP; iptables-legacy-save -c',
      'iptables-legacy -D INPUT 70; echo $?; iptables-legacy -C INPUT -d 127.0.0.55 -j DROP; echo $?',
      'iptables-legacy -A INPUT -p tcp -j REJECT --reject-with icmp-port-unreachable; iptables-legacy -A INPUT -j MASQUERADE; echo $?',
    ];
    const argv = script(...lines);
    const theirs = execute(THEIRS, argv);
    const ours = supervised(argv, '-v');
    const said = ours.stderr.split('\n').filter((line) => line.startsWith('bpfilter supervise: '));
    expect(said.filter((line) => line.includes('changed in memory')).length).toBeGreaterThanOrEqual(3);
    const stderr = ours.stderr.replaceAll(/^bpfilter supervise: .*\n/gm, '');
    expect({ ...ours, stderr }).toEqual(theirs);
    const save = bpfilter('save', '-c', '-t', 'filter').stdout;
    const expected = execute(THEIRS, ['iptables-legacy-save', '-c', '-t', 'filter']).stdout;
    expect(save).toBe(expected);
  });

  it('what cannot be expressed stays with the kernel, and nat always', () => {
    const argv = script(
      'iptables-legacy -t nat -A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE',
      'iptables-legacy -t mangle -A OUTPUT -j TTL --ttl-set 9; iptables-legacy -t mangle -A OUTPUT -m ttl --ttl-eq 9 -j ACCEPT',
      'iptables-legacy -A INPUT -s 10.1.1.1 -j DROP',
      'sleep 1',
      'iptables-legacy -t mangle -A OUTPUT -d 10.0.0.1 -j ACCEPT',
      'iptables-legacy -t nat -A POSTROUTING -j ACCEPT',
      'sleep 1',
      'iptables-legacy-save',
    );
    bothWays(argv);
    expect(bpfilter('list').stdout).toContain('bpf');
    const kernel = execute(OURS, ['iptables-legacy-save']).stdout;
    expect(kernel).toContain('-j TTL');
    expect(kernel).toContain('-j MASQUERADE');
    expect(kernel).not.toContain('10.1.1.1');
  });

  it('a caller without the capability is refused as by the kernel', () => {
    supervised(['iptables-legacy', '-A', 'INPUT', '-s', '10.1.1.1', '-j', 'DROP']);
    execute(THEIRS, ['iptables-legacy', '-A', 'INPUT', '-s', '10.1.1.1', '-j', 'DROP']);
    bothWays(['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin', 'iptables-legacy', '-S']);
    bothWays(['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin', 'iptables-legacy', '-F']);
  });

  it('exit statuses are those of the command', () => {
    expect(supervised(['sh', '-c', 'exit 7']).status).toBe(7);
    expect(supervised(['sh', '-c', 'kill -9 $$']).status).toBe(137);
    expect(supervised(['/nonexistent/program']).status).toBe(127);
    expect(supervised(['/etc/passwd']).status).toBe(126);
    const nested = [process.execPath, installed.launcher, 'supervise', '--', 'true'];
    const inner = supervised(nested);
    expect(inner.status).toBe(1);
    expect(inner.stderr).toContain('somebody else answers system calls');
  });

  it('a killed supervisor leaves the rules in force and its callers without an answer', () => {
    supervised(['iptables-legacy', '-A', 'INPUT', '-s', '10.1.1.1', '-j', 'DROP']);
    const { stdout } = supervised(
      script(
        'iptables-legacy -S INPUT',
        // The parent of this process is the supervisor.
        'kill -9 $PPID; sleep 0.3',
        `iptables-legacy -S >/run/${PREFIX}.out 2>&1; echo $? >>/run/${PREFIX}.out`,
      ),
    );
    expect(stdout).toContain('10.1.1.1');
    const late = execute(OURS, ['sh', '-c', `sleep 1; cat /run/${PREFIX}.out; rm /run/${PREFIX}.out`]).stdout;
    expect(late).toMatch(/promise|not implemented|upgraded/i);
    expect(bpfilter('save').stdout).toContain('-A INPUT -s 10.1.1.1/32 -j DROP');
  });
});
