/** Random packets as hooks see them: mostly sensible, from the values that rules mention too, some broken. */

import fc from 'fast-check';
import { parseAddress } from '../../src/packet/address.ts';
import { type ExtensionHeader, ipv4, ipv6 } from '../../src/packet/craft.ts';
import type { Family, Hook } from '../../src/packet/netfilter.ts';
import { icmp, type Payload, raw, tcp, truncated, udp, udplite } from '../../src/packet/transport.ts';
import { type ConntrackView, type PacketView, packetView } from '../../src/policy/packet-view.ts';
import { dccpPayload, indexedPayload, sctpPayload, tcpWithOptions } from './headers.ts';
import { nastyPackets } from './nasty.ts';
import { conntrackExtras, surroundingsOf } from './surroundings.ts';
import { UNIVERSE, type Universe } from './universe.ts';

export interface PacketShape {
  readonly universe?: Universe;
  /** Decides which devices there are. Default: any mixture. */
  readonly hook?: Hook;
}

/** Hooks at which a packet has come in by a device, and at which it will leave by one. */
export const HAS_IN: ReadonlySet<Hook> = new Set(['PREROUTING', 'INPUT', 'FORWARD']);
export const HAS_OUT: ReadonlySet<Hook> = new Set(['FORWARD', 'OUTPUT', 'POSTROUTING']);

/**
 * One packet with everything that a policy can ask about. `random` gives the same number each time it is called, so that a
 * packet can be replayed; `now` is somewhere within two minutes.
 */
export function randomPacket(family: Family, shape: PacketShape = {}): fc.Arbitrary<PacketView> {
  const universe = shape.universe ?? UNIVERSE[family];
  const bytes = fc.oneof({ weight: 5, arbitrary: sensible(universe) }, { weight: 1, arbitrary: nasty(universe) });
  return fc
    .tuple(bytes, surroundings(universe, shape.hook), conntrack(universe))
    .map(([data, around, ct]) => packetView({ family, bytes: data, ...around, ...ct }));
}

/** Packets one after the other: their times ascend. */
export function randomTraffic(
  family: Family,
  shape: PacketShape = {},
  maxLength = 20,
): fc.Arbitrary<readonly PacketView[]> {
  return fc
    .array(fc.tuple(randomPacket(family, shape), fc.constantFrom(0n, 0n, 1n, 40n, 250n, 5000n)), { maxLength })
    .map((list) => {
      let now = 0n;
      return list.map(([packet, pause]) => {
        now += pause;
        return { ...packet, now };
      });
    });
}

function nasty(universe: Universe): fc.Arbitrary<Uint8Array> {
  const address = fc.constantFrom(...universe.addresses);
  return fc
    .tuple(address, address, fc.constantFrom(...universe.ports), fc.nat())
    .map(([source, destination, port, pick]) => {
      const list = nastyPackets(universe.family, { source, destination, port });
      return list[pick % list.length]!.bytes;
    });
}

function sensible(universe: Universe): fc.Arbitrary<Uint8Array> {
  const near = fc.constantFrom(...universe.addresses);
  const any = fc.bigInt({ min: 0n, max: universe.family === 'ipv4' ? 0xffff_ffffn : (1n << 128n) - 1n });
  const address = fc.oneof(
    { weight: 3, arbitrary: near.map((text) => parseAddress(text, universe.family)!) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(near, fc.integer({ min: -2, max: 2 }))
        .map(([text, step]) => bump(text, step, universe.family)),
    },
    { weight: 1, arbitrary: any },
  );
  const ttl = fc.oneof(fc.constantFrom(1, 63, 64, 65, 255), fc.integer({ min: 0, max: 255 }));
  const tos = fc.integer({ min: 0, max: 255 });
  return fc
    .tuple(address, address, ttl, tos, payload(universe), fragmentation, extensions, fc.constantFrom(0, 0, 0, 1, 5, 10))
    .map(([source, destination, hops, trafficClass, inner, fragment, chain, optionWords]) =>
      universe.family === 'ipv4'
        ? ipv4(
            {
              source,
              destination,
              ttl: hops,
              tos: trafficClass,
              ...fragment,
              options: new Uint8Array(optionWords * 4).fill(1),
            },
            inner,
          )
        : ipv6({ source, destination, hopLimit: hops, trafficClass, extensions: withFragment(chain, fragment) }, inner),
    );
}

function bump(text: string, step: number, family: Family): bigint {
  const ones = family === 'ipv4' ? 0xffff_ffffn : (1n << 128n) - 1n;
  return (parseAddress(text, family)! + BigInt(step)) & ones;
}

interface Fragmentation {
  readonly fragmentOffset?: number;
  readonly moreFragments?: number;
}

const fragmentation: fc.Arbitrary<Fragmentation> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({}) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(0, 1, 2, 100, 8191), fc.constantFrom(0, 1))
      .map(([fragmentOffset, moreFragments]) => ({
        fragmentOffset,
        moreFragments,
      })),
  },
);

const extensions: fc.Arbitrary<readonly ExtensionHeader[]> = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc.array(
      fc.constantFrom<ExtensionHeader>(
        { kind: 'hopByHop' },
        { kind: 'destination' },
        { kind: 'routing', type: 2 },
        { kind: 'ah', spi: 1 },
        { kind: 'destination', length: 200 },
      ),
      { maxLength: 3 },
    ),
  },
);

function withFragment(chain: readonly ExtensionHeader[], fragment: Fragmentation): readonly ExtensionHeader[] {
  if (fragment.fragmentOffset === undefined) return chain;
  const header: ExtensionHeader = {
    kind: 'fragment',
    offset: fragment.fragmentOffset,
    more: fragment.moreFragments ?? 0,
    id: 9,
  };
  const middle = chain.length >> 1;
  return [...chain.slice(0, middle), header, ...chain.slice(middle)];
}

function payload(universe: Universe): fc.Arbitrary<Payload> {
  const port = fc.oneof(fc.constantFrom(...universe.ports), fc.integer({ min: 0, max: 65535 }));
  const byte = fc.integer({ min: 0, max: 255 });
  const data = fc.integer({ min: 0, max: 60 }).map((length) => new Uint8Array(length));
  const ports = fc.record({ source: port, destination: port, data });
  const options = fc.oneof(
    { weight: 3, arbitrary: fc.constant(new Uint8Array(0)) },
    {
      weight: 1,
      arbitrary: fc
        .array(fc.oneof(fc.integer({ min: 0, max: 8 }), byte), { maxLength: 40 })
        .map((list) => Uint8Array.from(list)),
    },
  );
  const tcpPayload = fc
    .tuple(ports, fc.oneof(fc.constantFrom(2, 18, 16, 4, 17, 0), byte), options)
    .map(([fields, flags, bytes]) => tcp({ ...fields, flags, options: bytes }));
  const icmpType = fc.oneof(fc.constantFrom(0, 3, 8, 11, 1, 128, 129, 135), byte);
  const whole = fc.oneof(
    { weight: 6, arbitrary: tcpPayload },
    { weight: 4, arbitrary: ports.map(udp) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(icmpType, fc.oneof(fc.constantFrom(0, 1, 4), byte))
        .map(([type, code]) => icmp({ type, code })),
    },
    { weight: 1, arbitrary: ports.map(udplite) },
    { weight: 1, arbitrary: sctpPayload(ports) },
    { weight: 1, arbitrary: dccpPayload(ports) },
    { weight: 1, arbitrary: tcpWithOptions(ports) },
    { weight: 1, arbitrary: indexedPayload },
    { weight: 1, arbitrary: fc.tuple(byte, data).map(([protocol, bytes]) => raw(protocol, bytes)) },
  );
  return fc.oneof(
    { weight: 9, arbitrary: whole },
    {
      weight: 1,
      arbitrary: fc.tuple(whole, fc.integer({ min: 0, max: 24 })).map(([inner, length]) => truncated(inner, length)),
    },
  );
}

type Surroundings = Partial<Omit<PacketView, 'family' | 'bytes'>>;

function surroundings(universe: Universe, hook: Hook | undefined): fc.Arbitrary<Surroundings> {
  const device = fc
    .constantFrom(...universe.devices)
    .map((name) => ({ name, ifindex: universe.devices.indexOf(name) + 1, group: universe.devices.indexOf(name) }));
  const maybe = <T>(set: ReadonlySet<Hook>, value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
    hook === undefined ? fc.option(value, { nil: undefined }) : set.has(hook) ? value : fc.constant(undefined);
  const mac = fc.constantFrom(...universe.macs).map((text) => {
    const source = text.split(':').map((part) => Number.parseInt(part, 16));
    return Uint8Array.of(2, 0, 0, 0, 0, 9, ...source, ...(universe.family === 'ipv4' ? [8, 0] : [0x86, 0xdd]));
  });
  const uid = fc.constantFrom(...universe.uids);
  const socket = fc.oneof(
    fc.constant({}),
    fc.record({ uid, gid: uid }).map((file) => ({ file })),
  );
  return fc
    .record({
      in: maybe(HAS_IN, device),
      out: maybe(HAS_OUT, device),
      mac: maybe(HAS_IN, mac),
      socket: fc.option(socket, { nil: undefined }),
      mark: fc.oneof(fc.constantFrom(...universe.marks), fc.integer({ min: 0, max: 0xffff_ffff })),
      pkttype: fc.constantFrom(0, 0, 0, 1, 2, 3, 5),
      routeDstType: fc.constantFrom(0, 1, 1, 2, 3, 5),
      now: fc.bigInt({ min: 0n, max: 30_000n }),
      word: fc.oneof(
        fc.constantFrom(0, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
        fc.integer({ min: 0, max: 0xffff_ffff }),
      ),
    })
    .chain((members) =>
      surroundingsOf(members.routeDstType !== 0).map((environment) => ({ ...members, ...environment })),
    )
    .map(({ word, ...members }) => present({ ...members, random: () => word }));
}

/** Leaves out the members that are undefined. */
function present(members: Record<string, unknown>): Surroundings {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

function conntrack(universe: Universe): fc.Arbitrary<Surroundings> {
  const address = fc.constantFrom(...universe.addresses).map((text) => parseAddress(text, universe.family)!);
  const port = fc.constantFrom(...universe.ports);
  const tuple = fc.record({ saddr: address, daddr: address, sport: port, dport: port });
  const ct: fc.Arbitrary<ConntrackView> = fc.record({
    // Seen reply, assured, confirmed, SNAT, DNAT in any mixture.
    status: fc.constantFrom(0, 2, 8, 0xe, 0x10, 0x20, 0x3e, 0x1ff),
    mark: fc.constantFrom(...universe.marks),
    expires: fc.constantFrom(0, 1, 60, 432_000),
    protonum: fc.constantFrom(6, 17, 1, 58),
    original: tuple,
    reply: tuple,
  });
  return fc.oneof(
    // ESTABLISHED 0, RELATED 1, NEW 2, ESTABLISHED_REPLY 3, RELATED_REPLY 4.
    {
      weight: 3,
      arbitrary: fc
        .tuple(ct, conntrackExtras, fc.integer({ min: 0, max: 4 }))
        .map(([entry, extras, ctInfo]) => ({ ct: { ...entry, ...extras }, ctInfo })),
    },
    { weight: 1, arbitrary: fc.constant({ ctInfo: 7 }) },
    { weight: 1, arbitrary: fc.constant({ ctInfo: 0 }) },
  );
}
