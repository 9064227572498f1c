import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { run } from '../../test/support/command.ts';
import { buildSmallLab, type SmallLab } from '../../test/support/small-lab.ts';
import { DIFFERENTIAL, suite } from '../../test/support/suite.ts';
import { layoutOf } from '../firewall/layout.ts';
import { bpffsRoot } from '../kernel/bpffs.ts';
import { acquireLock } from '../kernel/lock.ts';
import { namespaceCookie, withNamespace } from '../kernel/namespace.ts';

const NAME = `bff${process.pid}`;
const IP_AND_UDP = 28;

const RULES = `*filter
:INPUT ACCEPT [7:700]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:user - [0:0]
[1:100] -A INPUT -p udp -m udp --dport 1000 -j user
-A INPUT -p udp -m udp --dport 2000 -j DROP
-A user -s 10.77.0.1/32 -j ACCEPT
COMMIT
`;
const REJECTING = `*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p udp -m udp --dport 1000 -j REJECT --reject-with icmp-port-unreachable
COMMIT
`;
const WITH_NAT = `${RULES}*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -o eth9 -j MASQUERADE
COMMIT
`;
/** The kernel refuses this TCPMSS in PREROUTING, and says so only when the table is committed. */
const REFUSED_MANGLE = `*filter
:INPUT DROP [0:0]
COMMIT
*nat
:OUTPUT ACCEPT [0:0]
-A OUTPUT -o eth7 -j ACCEPT
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
COMMIT
`;
const RULES6 = `*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -p udp -m udp --dport 1000 -j DROP
COMMIT
`;

interface ListedRule {
  readonly rule: string;
  readonly packets: number;
  readonly bytes: number;
}
interface Listed {
  readonly generation: number;
  readonly families: readonly {
    readonly family: string;
    readonly madeBy: number;
    readonly programs: readonly { readonly hook: string; readonly id: number }[];
    readonly tables: readonly {
      readonly name: string;
      readonly chains: readonly {
        readonly name: string;
        readonly placement: string;
        readonly policy?: string;
        readonly packets?: number;
        readonly rules: readonly ListedRule[];
      }[];
    }[];
  }[];
}

suite('commands in a namespace', DIFFERENTIAL, () => {
  let lab: SmallLab;
  let directory: string;
  let root: string;

  const file = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  const apply = (text: string, ...options: string[]) => lab.bpfilter('apply', ...options, file('rules.v4', text));
  const list = async (): Promise<Listed> => JSON.parse((await lab.bpfilter('list', '--json')).stdout) as Listed;
  const saved = async (...options: string[]): Promise<string> => (await lab.bpfilter('save', ...options)).stdout;

  beforeAll(() => {
    process.env['XTABLES_LOCKFILE'] = `/run/${NAME}.lock`;
    directory = mkdtempSync(join(tmpdir(), 'bff-'));
    lab = buildSmallLab(NAME);
    root = withNamespace(NAME, () => layoutOf(bpffsRoot(), namespaceCookie()).root);
  });
  beforeEach(async () => {
    expect(await lab.bpfilter('flush')).toEqual({ status: 0, stdout: '', stderr: '' });
  });
  afterAll(async () => {
    await lab?.close();
    rmSync(directory, { recursive: true, force: true });
    rmSync(`/run/${NAME}.lock`, { force: true });
  });

  it('with nothing in force: save and list say so, flush does nothing', async () => {
    expect(await lab.bpfilter('save', '-c')).toEqual({ status: 0, stdout: '', stderr: '' });
    expect((await lab.bpfilter('list')).stdout).toBe('nothing is in force here\n');
    expect(await list()).toEqual({ version: 1, generation: 0, families: [] });
    expect((await lab.bpfilter('flush')).status).toBe(0);
  });

  it('apply prints the placement, save prints the rules, counters move with packets', async () => {
    const applied = await apply(RULES);
    expect(applied).toMatchObject({ status: 0, stderr: '' });
    expect(applied.stdout).toMatch(/^ipv4 +filter +user +bpf +1$/m);

    lab.send(1000, 3, 20);
    lab.send(2000, 2, 5);
    lab.send(3000, 1, 0);
    const bytes = 3 * (IP_AND_UDP + 20);
    const input = (await list()).families[0]?.tables[0]?.chains[0];
    expect(input?.rules[0]).toEqual({ rule: '-p udp -m udp --dport 1000 -j user', packets: 3, bytes });
    const lines = (await saved('-c')).split('\n');
    expect(lines).toContain(`[3:${bytes}] -A user -s 10.77.0.1/32 -j ACCEPT`);
    expect(lines).toContain(`[2:${2 * (IP_AND_UDP + 5)}] -A INPUT -p udp -m udp --dport 2000 -j DROP`);
    expect(lines[1]).toBe(`:INPUT ACCEPT [1:${IP_AND_UDP}]`);
  });

  it('save | apply | save is a fixed point, with counters', async () => {
    await apply(RULES, '-c');
    lab.send(1000, 4);
    const first = await saved('-c');
    expect(first).toContain('[5:340] -A INPUT -p udp -m udp --dport 1000 -j user');
    expect((await apply(first, '--counters')).status).toBe(0);
    expect(await saved('-c')).toBe(first);
    expect((await apply(first)).status).toBe(0);
    expect(await saved('-c')).toBe(first.replace(/\[\d+:\d+\]/g, '[0:0]'));
  });

  it('a family that is not named keeps programs and counters', async () => {
    await apply(RULES);
    lab.send(1000, 2);
    const before = await list();
    const counters = await saved('-c');
    expect((await lab.bpfilter('apply', '-6', file('rules', RULES6))).status).toBe(0);
    expect(await saved('-c')).toBe(counters);
    lab.send(1000, 1);
    expect(await saved('-c')).toContain('[3:180] -A INPUT -p udp -m udp --dport 1000 -j user');
    const after = await list();
    expect(after.generation).toBe(before.generation + 1);
    expect(after.families.map((item) => item.family)).toEqual(['ipv4', 'ipv6']);
    expect(after.families[0]?.programs).toEqual(before.families[0]?.programs);
    expect(await saved('-6')).toBe(RULES6);
  });

  it('programs are those that bpftool knows', async () => {
    await apply(RULES);
    for (const { id } of (await list()).families[0]?.programs ?? []) {
      expect(run('bpftool', ['prog', 'show', 'id', String(id)])).toContain(`${id}: `);
    }
  });

  it('flush leaves nothing: no pins, programs, nft tables or nat rules', async () => {
    await apply(`${REJECTING}${WITH_NAT.slice(RULES.length)}`);
    const programs = (await list()).families[0]?.programs ?? [];
    expect(programs).toHaveLength(3);
    expect(existsSync(root)).toBe(true);
    expect(lab.inside('nft', 'list', 'tables')).toContain('table ip bpfilter');
    expect((await lab.bpfilter('flush')).status).toBe(0);
    expect(existsSync(root)).toBe(false);
    expect(lab.inside('nft', 'list', 'tables')).toBe('');
    expect(lab.inside('iptables-legacy-save')).not.toContain('MASQUERADE');
    // A program lives on for a moment after its last user.
    await expect.poll(() => programs.filter(({ id }) => programExists(id))).toEqual([]);
  });

  it('bridge and connection tracking exist only while rules need them', async () => {
    await apply(REJECTING);
    expect(lab.inside('nft', 'list', 'tables')).toContain('table ip bpfilter');
    expect((await lab.bpfilter('check', '--placement', file('rules.v4', REJECTING))).stdout).toContain('bpf+bridge');
    lab.send(1000, 2);
    expect(await saved('-c')).toMatch(/^\[2:120\] .*-j REJECT/m);
    await apply(RULES);
    expect(lab.inside('nft', 'list', 'tables')).toBe('');
    expect(existsSync(`${root}/guards/ipv4-filter-INPUT`)).toBe(false);
  });

  it('a faulty file: status 2, every fault reported, nothing changed', async () => {
    await apply(RULES);
    const before = await list();
    const bad = RULES.replace('--dport 2000', '--dport 99999').replace('-j ACCEPT', '-j nowhere');
    const outcome = await apply(bad);
    expect(outcome.status).toBe(2);
    expect(outcome.stdout).toBe('');
    expect(outcome.stderr.match(/: error\[/g)).toHaveLength(2);
    expect(outcome.stderr).toMatch(/rules\.v4:7:\d+: error\[/);
    expect(await list()).toEqual(before);
  });

  it('nat goes to the kernel, is read from there, and goes when the next rules have none', async () => {
    const applied = await apply(WITH_NAT);
    expect(applied.stdout).toMatch(/^ipv4 +nat +POSTROUTING +kernel +1$/m);
    expect(lab.inside('iptables-legacy-save', '-t', 'nat')).toContain('-A POSTROUTING -o eth9 -j MASQUERADE');
    expect(await saved()).toBe(WITH_NAT.replace(/\[\d+:\d+\] -A/g, '-A').replace(/\[\d+:\d+\]$/gm, '[0:0]'));
    lab.inside('iptables-legacy', '-t', 'nat', '-A', 'OUTPUT', '-o', 'eth8');
    expect(await saved()).toContain('-A OUTPUT -o eth8');
    await apply(RULES);
    expect(lab.inside('iptables-legacy-save', '-t', 'nat')).not.toContain('-A');
  });

  it('a table that the kernel refuses leaves all old rules, those of nat included', async () => {
    await apply(WITH_NAT);
    const before = await list();
    const outcome = await apply(REFUSED_MANGLE);
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toContain('loading nat and mangle (ipv4) failed');
    expect(await list()).toEqual(before);
    const nat = lab.inside('iptables-legacy-save', '-t', 'nat');
    expect(nat).toContain('MASQUERADE');
    expect(nat).not.toContain('eth7');
  });

  it('a file without tables takes its family out of force, an empty policy costs no program', async () => {
    await apply(WITH_NAT);
    expect((await lab.bpfilter('apply', '-6', file('rules', ''))).status).toBe(0);
    expect((await apply('')).status).toBe(0);
    expect(await saved('-c')).toBe('');
    expect(existsSync(`${root}/stubs/ipv4-filter-INPUT`)).toBe(false);
    expect(lab.inside('iptables-legacy-save', '-t', 'nat')).not.toContain('-A');
  });

  it('--dry-run and check change nothing', async () => {
    await apply(RULES);
    const before = await list();
    expect((await apply(REJECTING, '--dry-run')).stdout).toContain('bpf+bridge');
    expect(await list()).toEqual(before);
  });

  it('says when the kernel’s own table filters as well', async () => {
    lab.inside('iptables-legacy', '-A', 'FORWARD', '-j', 'DROP');
    expect((await apply(RULES)).stderr).toMatch(
      /^bpfilter apply: warning: the kernel's own ipv4 table filter has rules too/,
    );
    lab.inside('iptables-legacy', '-F', 'FORWARD');
    expect((await apply(RULES)).stderr).toBe('');
  });

  it('doctor finds everything that this suite uses', async () => {
    const { status, stdout } = await lab.bpfilter('doctor', '--json');
    expect(status).toBe(0);
    const { features } = JSON.parse(stdout) as { features: { name: string; required: boolean; answer: string }[] };
    expect(features.filter((feature) => feature.required && feature.answer !== 'yes')).toEqual([]);
    expect((await lab.bpfilter('doctor')).stdout).toMatch(/^yes {2}netfilter-links/m);
  });

  it('apply --json names generation, programs and placement', async () => {
    const json: unknown = JSON.parse((await apply(RULES, '--json')).stdout);
    expect(json).toMatchObject({ version: 1, applied: true, generation: 1 });
    expect(json).toMatchObject({ chains: { length: 4 }, programs: { length: 3 } });
  });

  it('while another one is changing the namespace: status 4, at once or after waiting', async () => {
    await apply(RULES);
    const cookie = withNamespace(NAME, namespaceCookie);
    const lock = acquireLock(`/run/bpfilter/${cookie}.lock`, 0);
    try {
      expect(await apply(RULES)).toMatchObject({ status: 4, stdout: '' });
      const started = performance.now();
      expect((await apply(RULES, '-w', '1')).stderr).toContain('another bpfilter is changing this network namespace');
      expect(performance.now() - started).toBeGreaterThan(950);
      expect((await lab.bpfilter('save')).status).toBe(0);
    } finally {
      lock.release();
    }
    expect((await apply(RULES, '-w', '1')).status).toBe(0);
  });

  it('a namespace that does not exist is an error, not a crash', async () => {
    const outcome = await lab.bpfilter('list', '--netns', 'no-such-namespace');
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toMatch(/no-such-namespace.*does not exist/s);
  });
});

function programExists(id: number): boolean {
  try {
    run('bpftool', ['prog', 'show', 'id', String(id)]);
    return true;
  } catch {
    return false;
  }
}
