import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { buildSmallLab, type SmallLab } from '../../test/support/small-lab.ts';
import { DIFFERENTIAL, suite } from '../../test/support/suite.ts';
import { programsAtDevice } from '../kernel/device-link.ts';
import { withNamespace } from '../kernel/namespace.ts';
import { indexOfDevice } from '../kernel/rtnetlink.ts';
import type { DeviceKind } from '../packet/device-kind.ts';

const RULES = `*filter
:INPUT ACCEPT [0:0]
:web - [0:0]
-A INPUT -p udp -m udp --dport 7 -j DROP
-A INPUT -p udp -j web
-A web -p udp -m udp --dport 8:9 -j DROP
COMMIT
`;
const OTHER = RULES.replace('--dport 7', '--dport 17');

/** Ids of the programs on the filtered device. */
function attached(lab: SmallLab, kind: DeviceKind): string {
  if (kind === 'xdp') return /prog\/xdp id (\d+)/.exec(lab.inside('ip', '-d', 'link', 'show', 'f0'))?.[1] ?? '';
  return withNamespace(lab.namespace, () => programsAtDevice(kind, indexOfDevice('f0')).join(' '));
}

suite('apply --hook', DIFFERENTIAL, () => {
  const directory = mkdtempSync(join(tmpdir(), 'bpfilter-device-'));
  const file = join(directory, 'rules.v4');
  let lab: SmallLab;

  afterEach(() => lab.close());
  afterAll(() => rmSync(directory, { recursive: true }));

  it.each(['xdp', 'tc-ingress'] as const)('filters at %s, is replaced in place, and leaves nothing', async (kind) => {
    lab = buildSmallLab('wh-device');
    writeFileSync(file, RULES);
    const hook = `${kind}:f0`;
    const first = await lab.bpfilter('apply', '--hook', hook, file);
    expect(first.status, first.stderr).toBe(0);
    expect(first.stderr).toContain('differs-at-device');
    expect(first.stdout).toBe(`${hook}: filter INPUT, ipv4 3 rules\n`);
    const link = (): string => attached(lab, kind);
    expect(link()).not.toBe('');
    lab.send(7, 5, 32);
    lab.send(8, 4, 0);
    lab.send(10, 3, 8);
    const saved = await lab.bpfilter('save', '-c', '--hook', hook);
    expect(saved.stdout).toContain('[5:300] -A INPUT -p udp -m udp --dport 7 -j DROP');
    expect(saved.stdout).toContain('[7:220] -A INPUT -p udp -j web');
    expect(saved.stdout).toContain('[4:112] -A web -p udp -m udp --dport 8:9 -j DROP');
    expect(saved.stdout).toContain(':INPUT ACCEPT [3:108]');
    expect((await lab.bpfilter('list')).stdout).toContain(`${hook}  filter INPUT`);
    writeFileSync(file, OTHER);
    const program = link();
    expect((await lab.bpfilter('apply', '--hook', hook, file)).status).toBe(0);
    expect(link()).not.toBe(program);
    lab.send(7, 5, 32);
    expect((await lab.bpfilter('save', '-c', '--hook', hook)).stdout).toContain(
      '[0:0] -A INPUT -p udp -m udp --dport 17 -j DROP',
    );
    // Rules at netfilter come and go beside it.
    expect((await lab.bpfilter('apply', file)).status).toBe(0);
    expect(link()).not.toBe('');
    expect((await lab.bpfilter('flush')).status).toBe(0);
    expect(link()).toBe('');
    expect((await lab.bpfilter('list')).stdout).toBe('nothing is in force here\n');
  });
});
