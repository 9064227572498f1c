/**
 * The conditions of docs/early-drop.md, one by one, on tables that drop everything: a frame for which one does not hold goes up the stack,
 * where it counts as often as the stack has it count.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exit, mov } from '../../src/bpf/assembly.ts';
import { buildProgram } from '../../src/bpf/builder.ts';
import { R0 } from '../../src/bpf/instruction.ts';
import { STUB_MAPS } from '../../src/codegen/netfilter/stub.ts';
import { EARLY_PROGRAMS, earlySlot, earlyStub, XDP } from '../../src/codegen/xdp/stub.ts';
import { withSession } from '../../src/firewall/session.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import { createMap } from '../../src/kernel/map.ts';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { openPinnedMap } from '../../src/kernel/object.ts';
import { openPacketSocket } from '../../src/kernel/packet-socket.ts';
import { loadProgram, setProgramSlot } from '../../src/kernel/program.ts';
import { indexOfDevice } from '../../src/kernel/rtnetlink.ts';
import { testRun } from '../../src/kernel/test-run.ts';
import { ETHERTYPE, ethernet, ipv4, ipv6 } from '../../src/packet/craft.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { raw, tcp, udp } from '../../src/packet/transport.ts';
import { ADDRESS, buildSmallLab, type SmallLab } from '../support/small-lab.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { controlTraffic } from '../support/traffic-control.ts';

const MAC = {
  own: [0x02, 0x77, 0, 0, 0, 2],
  peer: [0x02, 0x77, 0, 0, 0, 1],
  foreign: [0x02, 0x77, 0, 0, 0, 9],
} as const;
const V4 = { source: ADDRESS.peer, destination: ADDRESS.filtered } as const;
const V6 = { source: ADDRESS.peer6, destination: ADDRESS.filtered6 } as const;
const DATAGRAM = udp({ source: 1000, destination: 53, data: new Uint8Array(20) });

/** A frame to the filtered device. */
function frame(family: Family, packet: Uint8Array, destination: readonly number[] = MAC.own): Uint8Array {
  const bytes = ethernet({ type: ETHERTYPE[family] }, packet);
  bytes.set(destination, 0);
  bytes.set(MAC.peer, 6);
  return bytes;
}

/** With the header's checksum made right again. */
function checksummed(packet: Uint8Array): Uint8Array {
  packet.set([0, 0], 10);
  let sum = 0;
  for (let at = 0; at < (packet[0]! & 15) * 4; at += 2) sum += (packet[at]! << 8) | packet[at + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  packet.set([(~sum >> 8) & 255, ~sum & 255], 10);
  return packet;
}

/** The packet with bytes written over it. */
function changed(packet: Uint8Array, at: number, ...bytes: readonly number[]): Uint8Array {
  packet.set(bytes, at);
  return packet;
}

const v4 = (): Uint8Array => ipv4(V4, DATAGRAM);
const v6 = (): Uint8Array => ipv6(V6, DATAGRAM);
const tagged = (bytes: Uint8Array): Uint8Array =>
  Uint8Array.of(...bytes.subarray(0, 12), 0x81, 0, 0, 7, ...bytes.subarray(12));

interface Case {
  readonly name: string;
  readonly family: Family;
  readonly frame: Uint8Array;
  /** Whether the rule counts it. */
  readonly counts: boolean;
  /** Absent: the stack gets it. */
  readonly early?: true;
  /** Commands in the filtered namespace, and what undoes them. */
  readonly before?: readonly (readonly string[])[];
  readonly after?: readonly (readonly string[])[];
}

const link = (...words: readonly string[]): readonly string[] => ['ip', 'link', ...words];

const CASES: readonly Case[] = [
  { name: 'a datagram', family: 'ipv4', frame: frame('ipv4', v4()), counts: true, early: true },
  { name: 'a datagram', family: 'ipv6', frame: frame('ipv6', v6()), counts: true, early: true },
  { name: 'a short one', family: 'ipv4', frame: frame('ipv4', ipv4(V4, udp({}))), counts: true, early: true },
  {
    name: 'padding behind it',
    family: 'ipv4',
    frame: Uint8Array.of(...frame('ipv4', v4()), 1, 2, 3),
    counts: true,
    early: true,
  },
  {
    name: 'SYN',
    family: 'ipv4',
    frame: frame('ipv4', ipv4(V4, tcp({ flags: 2 }))),
    counts: true,
    early: true,
  },
  { name: 'foreign MAC address', family: 'ipv4', frame: frame('ipv4', v4(), MAC.foreign), counts: false },
  { name: 'tag in the frame', family: 'ipv4', frame: tagged(frame('ipv4', v4())), counts: false },
  { name: 'another EtherType', family: 'ipv4', frame: changed(frame('ipv4', v4()), 12, 0x88, 0xb5), counts: false },
  { name: 'version 5', family: 'ipv4', frame: frame('ipv4', checksummed(changed(v4(), 0, 0x55))), counts: false },
  {
    name: 'header of 16 bytes',
    family: 'ipv4',
    frame: frame('ipv4', checksummed(changed(v4(), 0, 0x44))),
    counts: false,
  },
  { name: 'wrong checksum', family: 'ipv4', frame: frame('ipv4', changed(v4(), 10, 1, 2)), counts: false },
  {
    name: 'longer than the frame',
    family: 'ipv4',
    frame: frame('ipv4', checksummed(changed(v4(), 2, 1, 0))),
    counts: false,
  },
  {
    name: 'shorter than its header',
    family: 'ipv4',
    frame: frame('ipv4', checksummed(changed(v4(), 2, 0, 12))),
    counts: false,
  },
  {
    name: 'first fragment',
    family: 'ipv4',
    frame: frame('ipv4', checksummed(changed(v4(), 6, 0x20, 0))),
    counts: true,
  },
  {
    name: 'options',
    family: 'ipv4',
    frame: frame('ipv4', ipv4({ ...V4, options: new Uint8Array(4) }, DATAGRAM)),
    counts: true,
  },
  { name: 'later fragment', family: 'ipv4', frame: frame('ipv4', checksummed(changed(v4(), 6, 0, 2))), counts: true },
  ...(['fragment', 'routing', 'ah', 'destination', 'hopByHop'] as const).map(
    (kind): Case => ({
      name: `header ${kind}`,
      family: 'ipv6',
      frame: frame(
        'ipv6',
        ipv6({ ...V6, extensions: [{ kind, ...(kind === 'ah' ? { data: new Uint8Array(12) } : {}) }] }, DATAGRAM),
      ),
      counts: true,
    }),
  ),
  { name: 'version 4', family: 'ipv6', frame: frame('ipv6', changed(v6(), 0, 0x40)), counts: false },
  { name: 'longer than the frame', family: 'ipv6', frame: frame('ipv6', changed(v6(), 4, 1, 0)), counts: false },
  { name: 'multicast source', family: 'ipv6', frame: frame('ipv6', changed(v6(), 8, 0xff)), counts: false },
  {
    name: 'multicast destination of this interface',
    family: 'ipv6',
    frame: frame('ipv6', ipv6({ ...V6, destination: 'ff01::1' }, DATAGRAM)),
    counts: false,
  },
  { name: 'no payload', family: 'ipv6', frame: frame('ipv6', ipv6(V6, raw(17))), counts: true, early: true },
  ...FAMILIES.map(
    (family): Case => ({
      name: 'a TCP header cut off',
      family,
      frame: frame(
        family,
        family === 'ipv4' ? ipv4(V4, raw(6, new Uint8Array(12))) : ipv6(V6, raw(6, new Uint8Array(12))),
      ),
      counts: true,
    }),
  ),
  {
    name: 'loopback source',
    family: 'ipv6',
    frame: frame('ipv6', ipv6({ ...V6, source: '::1' }, DATAGRAM)),
    counts: false,
  },
  {
    name: 'loopback destination',
    family: 'ipv6',
    frame: frame('ipv6', ipv6({ ...V6, destination: '::1' }, DATAGRAM)),
    counts: false,
  },
  {
    name: 'payload that GRO could merge',
    family: 'ipv4',
    frame: frame('ipv4', ipv4(V4, tcp({ flags: 16, data: new Uint8Array(8) }))),
    counts: true,
  },
  {
    name: 'switched off',
    family: 'ipv6',
    frame: frame('ipv6', v6()),
    counts: false,
    before: [['sysctl', '-qw', 'net.ipv6.conf.f0.disable_ipv6=1']],
    after: [['sysctl', '-qw', 'net.ipv6.conf.f0.disable_ipv6=0']],
  },
  {
    name: 'a device too small for IPv6',
    family: 'ipv6',
    frame: frame('ipv6', v6()),
    counts: false,
    before: [link('set', 'f0', 'mtu', '1000')],
    after: [
      link('set', 'f0', 'mtu', '1500'),
      ['ip', '-6', 'addr', 'add', `${ADDRESS.filtered6}/64`, 'dev', 'f0', 'nodad'],
    ],
  },
  {
    name: 'a macvlan on top',
    family: 'ipv4',
    frame: frame('ipv4', v4()),
    counts: true,
    before: [link('add', 'link', 'f0', 'name', 'above', 'type', 'macvlan')],
    after: [link('del', 'above')],
  },
  {
    name: 'a bridge on top',
    family: 'ipv4',
    frame: frame('ipv4', v4()),
    counts: false,
    before: [link('add', 'br0', 'type', 'bridge'), link('set', 'f0', 'master', 'br0')],
    after: [link('del', 'br0')],
  },
  {
    name: 'nftables at its ingress',
    family: 'ipv4',
    frame: frame('ipv4', v4()),
    counts: false,
    before: [
      ['nft', 'add', 'table', 'netdev', 'x'],
      ['nft', 'add chain netdev x y { type filter hook ingress device f0 priority 0; policy drop; }'],
    ],
    after: [['nft', 'delete', 'table', 'netdev', 'x']],
  },
];

suite('conditions of early drop', DIFFERENTIAL, () => {
  const directory = mkdtempSync(join(tmpdir(), 'bpfilter-early-'));
  let lab: SmallLab;

  const files = ['v4', 'v6'].map((suffix) => join(directory, `rules.${suffix}`));
  const apply = async (): Promise<void> => {
    const { status, stderr } = await lab.bpfilter('apply', '--xdp', 'f0', ...files);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  };

  beforeAll(async () => {
    lab = buildSmallLab('bpfilter-cond');
    for (const file of files) writeFileSync(file, '*raw\n-A PREROUTING -j DROP\nCOMMIT\n');
    await apply();
  });
  afterAll(async () => {
    rmSync(directory, { recursive: true });
    await lab.close();
  });

  const send = (device: string, bytes: Uint8Array): void => {
    const socket = withNamespace(lab.peer, () => openPacketSocket({ ifindex: indexOfDevice(device) }));
    try {
      expect(socket.send(bytes)).toBe(0);
    } finally {
      socket.close();
    }
  };
  const counted = async (family: Family): Promise<number> => {
    const { stdout } = await lab.bpfilter('save', family === 'ipv4' ? '-4' : '-6', '-c');
    return Number(/\[(\d+):\d+\] -A PREROUTING -j DROP/.exec(stdout)?.[1]);
  };
  /** Frames that the program on the device let go up: what the device handed on. */
  const dropped = (): number =>
    Number(
      /rx_xdp_drops: (\d+)|rx_queue_0_xdp_drops: (\d+)/
        .exec(lab.inside('ethtool', '-S', 'f0'))
        ?.slice(1)
        .find(Boolean),
    );

  it.each(CASES)('$family: $name', async ({ family, frame: bytes, counts, early, before = [], after = [] }) => {
    for (const [program = '', ...args] of before) lab.inside(program, ...args);
    try {
      const [rule, drops] = [await counted(family), dropped()];
      send('p0', bytes);
      expect({ counts: (await counted(family)) - rule, early: dropped() - drops }).toEqual({
        counts: counts ? 1 : 0,
        early: early === true ? 1 : 0,
      });
    } finally {
      for (const [program = '', ...args] of after) lab.inside(program, ...args);
    }
  });

  const word = (change: (now: bigint) => bigint): void =>
    withSession(lab.namespace, ({ layout }) => {
      const map = openPinnedMap(layout.map(STUB_MAPS.generation));
      try {
        const value = Buffer.from(map.readValue());
        value.writeBigUInt64LE(change(value.readBigUInt64LE()));
        map.writeValue(value);
      } finally {
        map.close();
      }
    });

  it.each([
    ['0: no rules are in force', () => 0n],
    ['that of a generation without early programs', (now: bigint) => now + 1n],
  ] as const)('generation word %s', async (_, change) => {
    let before = 0n;
    // Even and odd generations have places of their own.
    for (let time = 0; time < 2; time++) {
      await apply();
      word((now) => {
        before = now;
        return now;
      });
      const drops = dropped();
      word(change);
      send('p0', frame('ipv4', v4()));
      word(() => before);
      expect(dropped() - drops).toBe(0);
      send('p0', frame('ipv4', v4()));
      expect(dropped() - drops).toBe(1);
    }
  });

  it('a device that takes tags out of frames, where the program cannot see them', () => {
    const index = withNamespace(lab.namespace, () => indexOfDevice('f0'));
    const programs = createMap(EARLY_PROGRAMS);
    const generation = createMap({
      ...EARLY_PROGRAMS,
      name: STUB_MAPS.generation,
      type: 'array',
      valueSize: 8,
      maxEntries: 1,
    });
    const maps = new Map([
      [EARLY_PROGRAMS.name, programs],
      [STUB_MAPS.generation, generation],
    ]);
    const stub = loadProgram(earlyStub(readKernelFacts(), 'other'), maps);
    const drop = loadProgram(buildProgram('drop', 'xdp', [mov.imm(R0, XDP.drop), exit()]), new Map());
    try {
      for (const family of FAMILIES) setProgramSlot(programs, earlySlot(family, 2), drop);
      const word = Buffer.alloc(8);
      word.writeBigUInt64LE(2n);
      generation.writeValue(word);
      const run = (): number => {
        const data = frame('ipv4', v4());
        // struct xdp_md: data_end, ingress_ifindex
        const ctx = Buffer.alloc(24);
        ctx.writeUInt32LE(data.length, 4);
        ctx.writeUInt32LE(index, 12);
        return withNamespace(lab.namespace, () => testRun(stub, { data, ctx })).retval;
      };
      lab.inside('ethtool', '-K', 'f0', 'rxvlan', 'on', 'rx-vlan-stag-hw-parse', 'off');
      expect(run()).toBe(XDP.pass);
      lab.inside('ethtool', '-K', 'f0', 'rxvlan', 'off');
      expect(run()).toBe(XDP.drop);
      lab.inside('ethtool', '-K', 'f0', 'rx-vlan-stag-hw-parse', 'on');
      expect(run()).toBe(XDP.pass);
    } finally {
      lab.inside('ethtool', '-K', 'f0', 'rxvlan', 'on', 'rx-vlan-stag-hw-parse', 'on');
      for (const item of [drop, stub, programs, generation]) item.close();
    }
  });

  it('a tag beside the frame', async () => {
    const control = controlTraffic(lab.peer, 'p0', 'egress', 'tag');
    try {
      const [rule, drops] = [await counted('ipv4'), dropped()];
      send('p0', frame('ipv4', v4()));
      expect({ counts: (await counted('ipv4')) - rule, early: dropped() - drops }).toEqual({ counts: 0, early: 0 });
    } finally {
      control.close();
    }
  });

  it('tc at its ingress', async () => {
    const control = controlTraffic(lab.namespace, 'f0', 'ingress', 'drop');
    try {
      const [rule, drops] = [await counted('ipv4'), dropped()];
      send('p0', frame('ipv4', v4()));
      expect({ counts: (await counted('ipv4')) - rule, early: dropped() - drops }).toEqual({ counts: 0, early: 0 });
    } finally {
      control.close();
    }
  });
});
