import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { buildSmallLab, type SmallLab } from '../../test/support/small-lab.ts';
import { DIFFERENTIAL, suite } from '../../test/support/suite.ts';

const DROPS = `*raw
-A PREROUTING -p udp -m udp --dport 7 -j DROP
-A PREROUTING -m limit --limit 1/sec
-A PREROUTING -p udp -m udp --dport 8 -j DROP
-A OUTPUT -p udp -m udp --dport 9 -j DROP
COMMIT
*filter
-A INPUT -p udp -m udp --dport 9 -j DROP
COMMIT
`;

suite('apply --xdp', DIFFERENTIAL, () => {
  const directory = mkdtempSync(join(tmpdir(), 'bpfilter-early-'));
  const file = join(directory, 'rules.v4');
  let lab: SmallLab;

  afterEach(() => lab.close());

  const attached = (): boolean => lab.inside('ip', '-d', 'link', 'show', 'f0').includes('xdp');
  const counted = async (text: string): Promise<boolean> => (await lab.bpfilter('save', '-c')).stdout.includes(text);
  const rules = (text: string): void => writeFileSync(file, text);

  it('drops before the stack, counts, says what it can do, and is gone after flush', async () => {
    lab = buildSmallLab('bpfilter-early');
    rules(DROPS);
    const { status, stdout, stderr } = await lab.bpfilter('apply', '--xdp', 'f0', file);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toContain('early drop, ipv4, on f0: 1 of 4 DROP rules\n');
    expect(stdout).toContain('2 come behind a rule whose outcome only the stack knows: raw PREROUTING rule 3\n');
    expect(stdout).toContain('1 are met by no packet that arrives: raw OUTPUT rule 1\n');
    expect(attached()).toBe(true);
    const runs = (): string => lab.inside('nstat', '-asz', 'IpInReceives').match(/IpInReceives\s+(\d+)/)![1]!;
    const before = runs();
    lab.send(7, 5, 32);
    lab.send(7, 3, 0);
    expect(await counted('[8:384] -A PREROUTING -p udp -m udp --dport 7 -j DROP')).toBe(true);
    expect(runs()).toBe(before);
    lab.send(9, 2, 32);
    expect(await counted('[2:120] -A INPUT -p udp -m udp --dport 9 -j DROP')).toBe(true);
    // Without --xdp it ends.
    expect((await lab.bpfilter('apply', file)).status).toBe(0);
    expect(attached()).toBe(false);
    await lab.bpfilter('apply', '--xdp', 'auto', file);
    expect(attached()).toBe(true);
    expect((await lab.bpfilter('flush')).status).toBe(0);
    expect(attached()).toBe(false);
    rmSync(directory, { recursive: true });
  });

  it('leaves a program of somebody else alone, and enforces the rules all the same', async () => {
    lab = buildSmallLab('bpfilter-early');
    const own = mkdtempSync(join(tmpdir(), 'bpfilter-early-'));
    const path = join(own, 'rules.v4');
    writeFileSync(path, DROPS);
    const { earlyForeign } = await import('../../test/support/foreign-xdp.ts');
    const foreign = earlyForeign(lab.namespace, 'f0');
    try {
      const { status, stderr } = await lab.bpfilter('apply', '--xdp', 'f0', path);
      expect(status).toBe(0);
      expect(stderr).toContain('no early drop on f0: [xdp-occupied] it has an XDP program of somebody else');
      lab.send(7, 4, 32);
      expect(await counted('[4:240] -A PREROUTING -p udp -m udp --dport 7 -j DROP')).toBe(true);
    } finally {
      foreign.close();
      rmSync(own, { recursive: true });
    }
  });

  it('goes on for a family that an apply does not name, and a device that has gone is no trouble', async () => {
    lab = buildSmallLab('bpfilter-early');
    const own = mkdtempSync(join(tmpdir(), 'bpfilter-early-'));
    const path = join(own, 'rules.v4');
    const other = join(own, 'rules.v6');
    writeFileSync(path, DROPS);
    writeFileSync(other, '*filter\n-A INPUT -p udp -j DROP\nCOMMIT\n');
    expect((await lab.bpfilter('apply', '--xdp', 'f0', path)).status).toBe(0);
    lab.send(7, 2, 32);
    expect((await lab.bpfilter('apply', other)).status).toBe(0);
    expect(attached()).toBe(true);
    const received = (): string => lab.inside('nstat', '-asz', 'IpInReceives');
    const before = received();
    lab.send(7, 3, 32);
    expect(await counted('[5:300] -A PREROUTING -p udp -m udp --dport 7 -j DROP')).toBe(true);
    expect(received()).toBe(before);
    lab.inside('ip', 'link', 'set', 'f0', 'name', 'renamed');
    lab.inside('ip', 'link', 'del', 'renamed');
    expect(await lab.bpfilter('apply', path)).toMatchObject({ status: 0, stderr: '' });
    expect(await lab.bpfilter('flush')).toMatchObject({ status: 0, stderr: '' });
    rmSync(own, { recursive: true });
  });

  it('refuses what is no device', async () => {
    lab = buildSmallLab('bpfilter-early');
    const own = mkdtempSync(join(tmpdir(), 'bpfilter-early-'));
    const path = join(own, 'rules.v4');
    writeFileSync(path, DROPS);
    const missing = await lab.bpfilter('apply', '--xdp', 'f9', path);
    expect(missing.status).toBe(2);
    expect(missing.stderr).toContain('there is no network device "f9"');
    rmSync(own, { recursive: true });
  });
});
