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
  '-A INPUT -p udp -m udp --dport 1001 -j QUEUE\n-A INPUT -p udp -m udp --dport 1000 -j ACCEPT\nCOMMIT',
);

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
    expect(applied.stderr).toMatch(/rules\.v4:6:\d+: warning\[stays-with-kernel\]: table filter stays with the kernel/);
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

  it('--strict refuses, and the old rules stay', async () => {
    await apply(AS_PROGRAM);
    const refused = await apply(WITH_KERNEL, '--strict');
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/error\[not-supported-here\]/);
    expect((await lab.bpfilter('save')).stdout).not.toContain('1001');
    expect(kernelRules()).toEqual([]);
  });
});
