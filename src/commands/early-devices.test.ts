import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { buildSmallLab, type SmallLab } from '../../test/support/small-lab.ts';
import { DIFFERENTIAL, suite } from '../../test/support/suite.ts';
import { openTap } from '../../test/support/tap.ts';
import { exit, mov } from '../bpf/assembly.ts';
import { buildProgram } from '../bpf/builder.ts';
import { R0 } from '../bpf/instruction.ts';
import { followEarlyDevices } from '../firewall/early-follow.ts';
import { withExclusiveSession, withSession } from '../firewall/session.ts';
import { openTablesSession } from '../firewall/tables-session.ts';
import { openLinkMonitor } from '../kernel/link-monitor.ts';
import { openPinnedLink } from '../kernel/object.ts';
import { loadProgram } from '../kernel/program.ts';
import { indexOfDevice } from '../kernel/rtnetlink.ts';
import { updateXdpLink } from '../kernel/xdp-link.ts';
import { parseRuleset } from '../languages/iptables/parse.ts';
import { ETHERTYPE, ethernet, ipv4 } from '../packet/craft.ts';
import { udp } from '../packet/transport.ts';
import type { Rule } from '../rules/model.ts';

const RULES = '*filter\n-A INPUT -p udp -m udp --dport 7 -j DROP\nCOMMIT\n';
const XDP_PASS = 2;

suite('devices of apply --xdp', DIFFERENTIAL, () => {
  const directory = mkdtempSync(join(tmpdir(), 'bpfilter-early-'));
  const file = join(directory, 'rules.v4');
  const other = join(directory, 'rules.v6');
  let lab: SmallLab;

  beforeEach(() => {
    lab = buildSmallLab('ea-devices');
    writeFileSync(file, RULES);
  });
  afterEach(async () => {
    await lab.close();
    rmSync(file);
  });

  const link = (...words: readonly string[]): string => lab.inside('ip', 'link', ...words);
  const attached = (device: string): boolean => lab.inside('ip', '-d', 'link', 'show', device).includes('prog/xdp');
  const follow = (): readonly string[] =>
    withExclusiveSession(lab.namespace, 10, ({ layout }) => followEarlyDevices(layout));
  const counted = async (text: string): Promise<boolean> => (await lab.bpfilter('save', '-c')).stdout.includes(text);
  const dropped = (device: string): number =>
    Number(/rx_queue_0_xdp_drops: (\d+)/.exec(lab.inside('ethtool', '-S', device))?.[1]);

  it('names devices by the beginning of their names, and follows them', async () => {
    const { status, stderr } = await lab.bpfilter('apply', '--xdp', 'f+', file);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(attached('f0')).toBe(true);
    const monitor = withSession(lab.namespace, openLinkMonitor);
    try {
      expect(monitor.changed()).toBe(false);
      link('add', 'f1', 'type', 'veth', 'peer', 'name', 'g1');
      expect(monitor.changed()).toBe(true);
      expect(monitor.changed()).toBe(false);
    } finally {
      monitor.close();
    }
    expect(attached('f1')).toBe(false);
    expect(follow()).toEqual([]);
    expect([attached('f1'), attached('g1')]).toEqual([true, false]);
    link('set', 'g1', 'name', 'f2');
    link('set', 'f1', 'name', 'g1');
    follow();
    expect([attached('g1'), attached('f2')]).toEqual([false, true]);
    link('del', 'g1');
    expect(follow()).toEqual([]);
    expect(attached('f0')).toBe(true);
    expect((await lab.bpfilter('flush')).status).toBe(0);
    expect(attached('f0')).toBe(false);
    expect(follow()).toEqual([]);
  });

  it('puts its own program back in the place of another', async () => {
    await lab.bpfilter('apply', '--xdp', 'f0', file);
    withSession(lab.namespace, ({ layout }) => {
      const own = openPinnedLink(layout.earlyLink(indexOfDevice('f0'), 'native'));
      const program = loadProgram(buildProgram('stranger', 'xdp', [mov.imm(R0, XDP_PASS), exit()]), new Map());
      updateXdpLink(own, program);
      program.close();
      own.close();
    });
    lab.send(7, 2);
    expect(dropped('f0')).toBe(0);
    expect(await counted('[2:120] -A INPUT')).toBe(true);
    expect((await lab.bpfilter('apply', '--xdp', 'f0', file)).status).toBe(0);
    lab.send(7, 3);
    expect(dropped('f0')).toBe(3);
    expect(await counted('[3:180] -A INPUT')).toBe(true);
  });

  it('hangs itself up again where somebody has detached it', async () => {
    await lab.bpfilter('apply', '--xdp', 'f0', file);
    withSession(lab.namespace, ({ layout }) => {
      const own = openPinnedLink(layout.earlyLink(indexOfDevice('f0'), 'native'));
      own.detach();
      own.close();
    });
    expect(attached('f0')).toBe(false);
    expect(follow()).toEqual([]);
    lab.send(7, 3);
    expect(dropped('f0')).toBe(3);
  });

  it('goes on with changed rules, whoever changes them', async () => {
    const session = openTablesSession({ netns: lab.namespace, keep: true });
    const change = (edit: (rules: readonly Rule[]) => readonly Rule[]) =>
      session.transact('ipv4', 5, (now) => ({
        ruleset: {
          ...now!.ruleset,
          tables: now!.ruleset.tables.map((table) => ({
            ...table,
            chains: table.chains.map((chain) =>
              chain.name === 'INPUT' ? { ...chain, rules: edit(chain.rules) } : chain,
            ),
          })),
        },
      })).outcome;
    try {
      // More rules than a look-up needs, which would be changed in memory if no device had a copy of them.
      const many = Array.from({ length: 40 }, (_, at) => `-A INPUT -p udp -m udp --dport ${at + 7} -j DROP\n`).join('');
      writeFileSync(file, `*filter\n${many}COMMIT\n`);
      await lab.bpfilter('apply', '--xdp', 'f+', file);
      lab.send(7, 2);
      const { ruleset } = parseRuleset({ name: 'one', text: RULES.replace('--dport 7', '--dport 99') }, 'ipv4');
      const added = ruleset!.tables[0]!.chains.find(({ name }) => name === 'INPUT')!.rules[0]!;
      expect(change((rules) => [...rules, added])).toEqual({ how: 'generation', warnings: [] });
      lab.send(99, 3);
      expect(dropped('f0')).toBe(5);
      expect(await counted('[2:120] -A INPUT -p udp -m udp --dport 7 ')).toBe(true);
      expect(await counted('[3:180] -A INPUT -p udp -m udp --dport 99 ')).toBe(true);
      expect(change((rules) => rules.slice(1))).toEqual({ how: 'generation', warnings: [] });
      lab.send(7, 4);
      expect(dropped('f0')).toBe(5);
      // Rules that drop nothing have no use for it; the next that do have it again, also for a family that is carried over.
      const kept = change(() => []);
      expect([kept, attached('f0')]).toEqual([{ how: 'generation', warnings: [] }, false]);
      writeFileSync(other, '*filter\nCOMMIT\n');
      await lab.bpfilter('apply', other);
      expect(attached('f0')).toBe(false);
      expect(change(() => [added])).toEqual({ how: 'generation', warnings: [] });
      expect(attached('f0')).toBe(true);
      lab.send(99, 1);
      expect(dropped('f0')).toBe(6);
      await lab.bpfilter('apply', file);
      expect(attached('f0')).toBe(false);
    } finally {
      session.close();
    }
  });

  it('takes frames in several pieces on devices with a large MTU', async () => {
    for (const where of ['inside', 'outside'] as const)
      lab[where]('ip', 'link', 'set', where === 'inside' ? 'f0' : 'p0', 'mtu', '9000');
    const { status, stderr } = await lab.bpfilter('apply', '--xdp', 'f0', file);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    lab.send(7, 2, 8000);
    expect(dropped('f0')).toBe(2);
    expect(await counted('[2:16056] -A INPUT')).toBe(true);
  });

  it('works on other devices while they take no tags out of frames, in either mode', async () => {
    const tap = openTap(lab.namespace, 't0');
    try {
      for (const line of [
        'link set t0 address 02:77:00:00:00:05 arp off multicast off',
        'link set t0 up',
        'addr add 10.79.0.1/24 dev t0',
      ])
        lab.inside('ip', ...line.split(' '));
      const received = (): number =>
        Number(/IpInReceives\s+(\d+)/.exec(lab.inside('nstat', '-asz', 'IpInReceives'))?.[1]);
      const frame = ethernet(
        { type: ETHERTYPE.ipv4, destination: 0x027700000005n, source: 0x027700000006n },
        ipv4({ source: '10.79.0.2', destination: '10.79.0.1' }, udp({ destination: 7, data: new Uint8Array(32) })),
      );
      for (const mode of ['native', 'generic']) {
        const { status, stderr } = await lab.bpfilter('apply', '--xdp', 't0', '--xdp-mode', mode, file);
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
        const before = received();
        tap.receive(frame);
        tap.receive(frame);
        expect(await counted('[2:120] -A INPUT')).toBe(true);
        expect(received()).toBe(before);
      }
    } finally {
      tap.close();
    }
  });

  it('goes on with the old rules where new ones fail', async () => {
    await lab.bpfilter('apply', '--xdp', 'f0', file);
    writeFileSync(file, '*filter\n-A INPUT -m time --kerneltz -j DROP\n-A INPUT -j NOSUCH\nCOMMIT\n');
    expect((await lab.bpfilter('apply', '--xdp', 'f0', file)).status).not.toBe(0);
    writeFileSync(file, '*filter\n-A INPUT -m set --match-set nosuch src -j DROP\nCOMMIT\n');
    expect((await lab.bpfilter('apply', '--xdp', 'f0', file)).status).not.toBe(0);
    lab.send(7, 3);
    expect(dropped('f0')).toBe(3);
    expect(await counted('[3:180] -A INPUT')).toBe(true);
  });

  it('says what stands in the way, and enforces the rules all the same', async () => {
    const incapable = await lab.bpfilter('apply', '--xdp', 'lo', file);
    expect(incapable.status).toBe(0);
    expect(incapable.stderr).toContain('no early drop on lo: [xdp-incapable] its driver cannot run XDP programs');
    lab.send(7, 2);
    expect(await counted('[2:120] -A INPUT')).toBe(true);
    const generic = await lab.bpfilter('apply', '--xdp', 'lo,f0', '--xdp-mode', 'generic', file);
    expect(generic.stderr).toContain('no early drop on f0: [xdp-generic]');
    expect(generic.stderr).not.toContain('lo');
    expect(lab.inside('ip', 'link', 'show', 'lo')).toContain('xdpgeneric');
    // The other mode, and back.
    expect((await lab.bpfilter('apply', '--xdp', 'f0', file)).stderr).toBe('');
    expect([attached('lo'), attached('f0')]).toEqual([false, true]);
  });

  it.each([
    [['--xdp', 'nowhere'], '[xdp-no-device] there is no network device "nowhere"'],
    [['--xdp', 'f0', '--xdp-mode', 'offload'], '[xdp-offload] a network card cannot run these programs'],
    [['--xdp', 'f0', '--xdp-mode', 'fast'], '"fast" is none of native, generic, offload'],
    [['--xdp-mode', 'native'], 'only together with --xdp'],
  ] as const)('refuses %j', async (options, text) => {
    const { status, stderr } = await lab.bpfilter('apply', ...options, file);
    expect(status).toBe(2);
    expect(stderr).toContain(text);
  });
});
