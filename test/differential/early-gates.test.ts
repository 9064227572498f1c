/**
 * The conditions of docs/early-drop.md behind table raw, one by one, on tables that drop everything: a packet for which one does not hold goes
 * up the stack, where it counts as often as the stack has it count. The numbers are those that the kernel's own tables count there, too.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GATE_MAP } from '../../src/codegen/xdp/gate.ts';
import { withSession } from '../../src/firewall/session.ts';
import { readStateInForce } from '../../src/firewall/store.ts';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { openPinnedMap } from '../../src/kernel/object.ts';
import { openPacketSocket } from '../../src/kernel/packet-socket.ts';
import { indexOfDevice } from '../../src/kernel/rtnetlink.ts';
import { ETHERTYPE, ethernet, ipv4, ipv6 } from '../../src/packet/craft.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { type Payload, udp } from '../../src/packet/transport.ts';
import { ADDRESS, buildSmallLab, type SmallLab } from '../support/small-lab.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { FORWARD } from './early-forward-cases.ts';
import { type Case, type Fields, INPUT, LOCAL_ROUTES, ROUTES, sysctl, TRACKED } from './early-gate-cases.ts';

const MAC = { own: [0x02, 0x77, 0, 0, 0, 2], peer: [0x02, 0x77, 0, 0, 0, 1] } as const;
const DATAGRAM = udp({ source: 1000, destination: 53, data: new Uint8Array(20) });

function frame(
  family: Family,
  payload: Payload,
  { source, destination, hops = 64, dontFragment }: Fields = {},
): Uint8Array {
  const packet =
    family === 'ipv4'
      ? ipv4(
          {
            source: source ?? ADDRESS.peer,
            destination: destination ?? ADDRESS.filtered,
            ttl: hops,
            ...(dontFragment === true ? { dontFragment: 1 } : {}),
          },
          payload,
        )
      : ipv6(
          { source: source ?? ADDRESS.peer6, destination: destination ?? ADDRESS.filtered6, hopLimit: hops },
          payload,
        );
  const bytes = ethernet({ type: ETHERTYPE[family] }, packet);
  bytes.set(MAC.own, 0);
  bytes.set(MAC.peer, 6);
  return bytes;
}

suite('conditions of early drop behind table raw', DIFFERENTIAL, () => {
  const directory = mkdtempSync(join(tmpdir(), 'bpfilter-early-'));
  let lab: SmallLab;

  const build = (): void => {
    lab = buildSmallLab('ea-gates');
    lab.outside('ip', 'link', 'add', 'g1', 'type', 'veth', 'peer', 'name', 'f1', 'netns', lab.namespace);
    for (const line of [
      'link set f1 arp off multicast off',
      'link set f1 up',
      'addr add 10.78.0.1/24 dev f1',
      '-6 addr add fd78::1/64 dev f1 nodad',
    ])
      lab.inside('ip', ...line.split(' '));
    lab.outside('ip', 'link', 'set', 'g1', 'up');
  };
  beforeAll(build);
  afterAll(async () => {
    rmSync(directory, { recursive: true });
    await lab.close();
  });

  const send = (bytes: Uint8Array, device = 'p0', namespace = lab.peer): void => {
    const socket = withNamespace(namespace, () => openPacketSocket({ ifindex: indexOfDevice(device) }));
    try {
      expect(socket.send(bytes)).toBe(0);
    } finally {
      socket.close();
    }
  };
  const shell = (lines: readonly string[]): void => {
    if (lines.length > 0) applied = '';
    for (const line of lines) lab.inside('sh', '-c', line);
  };
  let applied = '';
  const apply = async (chain: string, rule: string, device = 'f0', says = ''): Promise<void> => {
    // Cases that change nothing meet the rules of the one before.
    const rules = [device, chain, rule].join(' ');
    if (applied === rules) return;
    applied = rules;
    const files = ['v4', 'v6'].map((suffix) => join(directory, `rules.${suffix}`));
    for (const file of files)
      writeFileSync(file, `*mangle\n-A PREROUTING\nCOMMIT\n*filter\n-A ${chain} ${rule}\nCOMMIT\n`);
    const { status, stderr } = await lab.bpfilter('apply', '--xdp', device, ...files);
    expect(status).toBe(0);
    if (says === '') expect(stderr).toBe('');
    else expect(stderr).toContain(says);
  };
  const counted = async (family: Family): Promise<number[]> => {
    const { stdout } = await lab.bpfilter('save', family === 'ipv4' ? '-4' : '-6', '-c');
    return ['-A PREROUTING$', '-A [A-Z]+ .*-j DROP'].map((rule) =>
      Number(new RegExp(`^\\[(\\d+):\\d+\\] ${rule}`, 'm').exec(stdout)?.[1]),
    );
  };
  const dropped = (device = 'f0'): number =>
    Number(/rx_queue_0_xdp_drops: (\d+)/.exec(lab.inside('ethtool', '-S', device))?.[1]);

  /** Changes what the program of a family knows of the hooks. */
  const tellGate = (family: Family, change: (gate: Buffer) => void): void =>
    withSession(lab.namespace, ({ layout }) => {
      const { generation } = readStateInForce(layout)!;
      const map = openPinnedMap(layout.generationMap(generation, family, GATE_MAP));
      try {
        const value = Buffer.from(map.readValue());
        change(value);
        map.writeValue(value);
      } finally {
        map.close();
      }
    });

  const check = async ({ family, payload = DATAGRAM, fields, counts, early, before = [], after = [], tell }: Case) => {
    shell(before);
    try {
      if (tell !== undefined) {
        applied = '';
        tellGate(family, tell);
      }
      const [met, rule] = await counted(family);
      const drops = dropped();
      send(frame(family, payload, fields));
      const [metNow, ruleNow] = await counted(family);
      expect({ met: metNow! - met!, counts: ruleNow! - rule!, early: dropped() - drops }).toEqual({
        met: 1,
        counts,
        early: early === true ? 1 : 0,
      });
    } finally {
      shell(after);
    }
  };
  // What has been changed back is another list of hooks: rules are applied anew.
  describe('to this machine', () => {
    it.each(INPUT)('$family: $name', async (item) => {
      shell(item.setup ?? []);
      await apply('INPUT', '-j DROP', 'f0', item.says);
      await check(item);
    });
  });
  it.each([false, true])('in a packet buffer that has a mark: %s', async (marked) => {
    // Both ends in one namespace: only there a mark goes through a veth.
    shell([
      'ip link add h0 type veth peer name f2 address 02:77:00:00:00:02',
      'ip link set h0 arp off multicast off up',
      'ip link set f2 arp off multicast off up',
      ...(marked
        ? [
            'nft add table netdev x',
            "nft 'add chain netdev x y { type filter hook egress device h0 priority 0; }'",
            'nft add rule netdev x y meta mark set 7',
          ]
        : []),
    ]);
    try {
      await apply('INPUT', '-j DROP', 'f2');
      const drops = dropped('f2');
      const [, rule] = await counted('ipv4');
      send(frame('ipv4', DATAGRAM), 'h0', lab.namespace);
      const [, ruleNow] = await counted('ipv4');
      expect({ counts: ruleNow! - rule!, early: dropped('f2') - drops }).toEqual({ counts: 1, early: marked ? 0 : 1 });
    } finally {
      shell([...(marked ? ['nft delete table netdev x'] : []), 'ip link del h0']);
    }
  });
  describe('connections', () => {
    it.each(TRACKED)('$family: $name', async (item) => {
      await apply('INPUT', '-m conntrack --ctstate NEW -j DROP');
      await check(item);
    });
  });
  describe('forwarded', () => {
    beforeAll(() => shell([sysctl('ipv4.ip_forward', 1), sysctl('ipv6.conf.all.forwarding', 1)]));
    it.each(FORWARD)('$family: $name', async (item) => {
      await apply('FORWARD', '-o f1 -j DROP'.replace(item.name === 'out where it came in' ? '-o f1 ' : '', ''));
      await check(item);
    });
  });
  describe('routes of its own', () => {
    it.each(ROUTES)('$family: $name', async (item) => {
      shell(item.setup ?? []);
      await apply('INPUT', '-j DROP');
      await check(item);
    });
  });
  describe('local routes of its own', () => {
    beforeAll(async () => {
      await lab.close();
      applied = '';
      build();
    });
    it.each(LOCAL_ROUTES)('$family: $name', async (item) => {
      await apply('INPUT', '-j DROP');
      await check(item);
    });
  });
});
