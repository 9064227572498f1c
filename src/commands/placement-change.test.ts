import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { run } from '../../test/support/command.ts';
import { buildSmallLab, type SmallLab } from '../../test/support/small-lab.ts';
import { DIFFERENTIAL, suite } from '../../test/support/suite.ts';
import { withNamespace } from '../kernel/namespace.ts';

const NAME = `efp${process.pid}`;

const AS_PROGRAM = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p udp -m udp --dport 1000 -j DROP
COMMIT
`;
/** What a target has changed cannot be tested by a later rule of the same program. */
const WITH_KERNEL = AS_PROGRAM.replace(
  'COMMIT',
  '-A INPUT -p udp -m udp --dport 1001 -j HMARK --hmark-tuple src --hmark-mod 2 --hmark-rnd 0x1\n-A INPUT -m mark --mark 0x63 -j ACCEPT\nCOMMIT',
);

const WITH_EFFECTS = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p udp -m udp --dport 1002 -j MARK --set-xmark 0x5/0xff
-A INPUT -m mark --mark 0x5
-A INPUT -p udp -m udp --dport 1000 -j DROP
COMMIT
`;

suite('a table that comes and goes between programs and kernel', DIFFERENTIAL, () => {
  let lab: SmallLab;
  let directory: string;
  const apply = (text: string, ...options: string[]) => {
    const path = join(directory, 'rules.v4');
    writeFileSync(path, text);
    return lab.bpfilter('apply', ...options, path);
  };
  const kernelRules = (): readonly string[] =>
    withNamespace(NAME, () => run('iptables-legacy-save', ['-t', 'filter']))
      .split('\n')
      .filter((line) => /^(-A|:\S+ DROP)/.test(line));

  beforeAll(() => {
    process.env['XTABLES_LOCKFILE'] = `/run/${NAME}.lock`;
    directory = mkdtempSync(join(tmpdir(), 'efp-'));
    lab = buildSmallLab(NAME);
  });
  beforeEach(async () => {
    expect(await lab.bpfilter('flush')).toEqual({ status: 0, stdout: '', stderr: '' });
  });
  afterAll(async () => {
    await lab?.close();
    rmSync(directory, { recursive: true, force: true });
    rmSync(`/run/${NAME}.lock`, { force: true });
  });

  it('is loaded into the kernel with the reason, counts there, and leaves nothing when it is a program again', async () => {
    expect(await apply(AS_PROGRAM)).toMatchObject({ status: 0, stderr: '' });
    const applied = await apply(WITH_KERNEL);
    expect(applied.status).toBe(0);
    expect(applied.stderr).toMatch(/rules\.v4:7:\d+: warning\[stays-with-kernel\]: table filter stays with the kernel/);
    expect(applied.stdout).toMatch(/^ipv4 +filter +INPUT +kernel +3$/m);
    expect(applied.stdout).toContain('rules outside nat: 0 bpf (0 %), 0 bpf+bridge (0 %), 3 kernel (100 %)\n');
    expect(kernelRules()).toHaveLength(3);
    lab.send(1000, 2, 5);
    expect((await lab.bpfilter('save', '-c')).stdout).toContain('[2:66] -A INPUT -p udp -m udp --dport 1000 -j DROP');
    expect((await lab.bpfilter('list')).stdout).toContain('ipv4 filter INPUT  kernel');

    expect(await apply(AS_PROGRAM)).toMatchObject({ status: 0, stderr: '' });
    expect(kernelRules()).toEqual([]);
    lab.send(1000, 3, 5);
    expect((await lab.bpfilter('save', '-c')).stdout).toContain('[3:99] -A INPUT -p udp -m udp --dport 1000 -j DROP');
  });

  it('flush leaves the kernel table empty', async () => {
    expect((await apply(WITH_KERNEL)).status).toBe(0);
    expect((await lab.bpfilter('flush')).status).toBe(0);
    expect(kernelRules()).toEqual([]);
  });

  it('with effects: save shows the rules, not those that carry them out; each change leaves what is needed', async () => {
    for (const before of [AS_PROGRAM, WITH_KERNEL, WITH_EFFECTS]) {
      expect((await apply(before)).status).toBe(0);
      const applied = await apply(WITH_EFFECTS);
      expect(applied).toMatchObject({ status: 0, stderr: '' });
      expect(applied.stdout).toMatch(/^ipv4 +filter +INPUT +bpf\+bridge +3$/m);
      // Jump, two entries at most, DROP, MARK.
      expect(kernelRules()).toHaveLength(5);
      lab.send(1002, 2, 5);
      lab.send(1000, 1, 5);
      const saved = (await lab.bpfilter('save', '-c')).stdout;
      expect(saved).not.toContain('BPFILTER');
      expect(saved).toContain('[2:66] -A INPUT -m mark --mark 0x5');
      expect(saved).toContain('[1:33] -A INPUT -p udp -m udp --dport 1000 -j DROP');
      expect((await apply(WITH_KERNEL)).status).toBe(0);
      expect(kernelRules()).toHaveLength(3);
      expect((await apply(WITH_EFFECTS)).status).toBe(0);
      expect((await apply(AS_PROGRAM)).status).toBe(0);
      expect(kernelRules()).toEqual([]);
    }
    expect((await apply(WITH_EFFECTS)).status).toBe(0);
    expect((await lab.bpfilter('flush')).status).toBe(0);
    expect(kernelRules()).toEqual([]);
  });

  it('with effects: when somebody removes the rules that carry them out, the packets are dropped', async () => {
    await apply(WITH_EFFECTS);
    const listener = lab.listen(1002);
    try {
      lab.send(1002, 1, 5);
      expect(listener.receive()).toBeDefined();
      withNamespace(NAME, () => run('iptables-legacy', ['-F', 'INPUT']));
      lab.send(1002, 1, 5);
      expect(listener.receive()).toBeUndefined();
      expect((await apply(WITH_EFFECTS)).status).toBe(0);
      lab.send(1002, 1, 5);
      expect(listener.receive()).toBeDefined();
    } finally {
      listener.close();
    }
  });

  it('with effects: a family that is not named keeps them', async () => {
    await apply(WITH_EFFECTS);
    const path = join(directory, 'rules.v6');
    writeFileSync(path, AS_PROGRAM);
    expect((await lab.bpfilter('apply', path)).status).toBe(0);
    lab.send(1002, 2, 5);
    expect((await lab.bpfilter('save', '-c')).stdout).toContain('[2:66] -A INPUT -m mark --mark 0x5');
    expect(withNamespace(NAME, () => run('iptables-legacy-save', ['-c', '-t', 'filter']))).toContain(
      '[2:66] -A BPFILTER-0-INPUT-DO',
    );
  });

  it('--strict refuses, and the old rules stay', async () => {
    await apply(AS_PROGRAM);
    const refused = await apply(WITH_KERNEL, '--strict');
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/error\[not-supported-here\]/);
    expect((await lab.bpfilter('save')).stdout).not.toContain('1001');
    expect(kernelRules()).toEqual([]);
  });
});
