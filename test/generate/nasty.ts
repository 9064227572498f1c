/** The packets that every change must survive: fixed, one of each kind of trouble. */

import { ipv4, ipv6 } from '../../src/packet/craft.ts';
import { evenPieces, fragmentIpv4, fragmentIpv6 } from '../../src/packet/fragment.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import {
  ah,
  dccp,
  esp,
  icmp,
  join,
  type Payload,
  PROTOCOL,
  raw,
  sctp,
  TCP_FLAGS,
  tcp,
  truncated,
  udp,
  udplite,
} from '../../src/packet/transport.ts';

export interface NastyPacket {
  readonly why: string;
  readonly family: Family;
  /** From the IP header on. */
  readonly bytes: Uint8Array;
}

export interface NastyOptions {
  readonly source?: string;
  readonly destination?: string;
  /** Destination port of everything that has ports. */
  readonly port?: number;
}

/** All of them for one family, between the given addresses, always the same list in the same order. */
export function nastyPackets(family: Family, options: NastyOptions = {}): readonly NastyPacket[] {
  const { port = 80, ...addresses } = options;
  const list: readonly (readonly [string, Uint8Array])[] =
    family === 'ipv4' ? ipv4Packets(addresses, port) : ipv6Packets(addresses, port);
  return list.map(([why, bytes]) => ({ why, family, bytes }));
}

type Addresses = Omit<NastyOptions, 'port'>;
type Named = readonly (readonly [string, Uint8Array])[];

function ipv4Packets(at: Addresses, port: number): Named {
  const plain = syn(port);
  const long = ipv4(at, udp({ source: 1000, destination: port, data: new Uint8Array(56) }));
  const lies: readonly (readonly [string, Parameters<typeof ipv4>[0]])[] = [
    ['header checksum bad', { checksum: 'bad' }],
    ['total length 0', { totalLength: 0 }],
    ['total length below the header', { totalLength: 19 }],
    ['total length one more than there is', { totalLength: 41 }],
    ['total length one less than there is', { totalLength: 39 }],
    ['ihl 4', { ihl: 4 }],
    ['ihl 0', { ihl: 0 }],
    ['ihl 15 without options', { ihl: 15 }],
    ['version 5', { version: 5 }],
    ['ttl 0', { ttl: 0 }],
    ['ttl 255', { ttl: 255 }],
    ['router alert option', { options: Uint8Array.of(148, 4, 0, 0) }],
    ['ten option words', { options: new Uint8Array(40).fill(1) }],
    ['first fragment', { moreFragments: 1 }],
    ['fragment offset 1', { fragmentOffset: 1 }],
    ['fragment offset 2, more', { fragmentOffset: 2, moreFragments: 1 }],
    ['fragment offset 8191', { fragmentOffset: 8191 }],
    ['dont fragment and reserved bit', { dontFragment: 1, reserved: 1 }],
  ];
  return [
    ...payloads(port).map(([why, payload]) => [why, ipv4(at, payload)] as const),
    ...lies.map(([why, fields]) => [why, ipv4({ ...at, ...fields }, plain)] as const),
    ['AH around TCP', ipv4(at, ah({ spi: 1 }, plain))],
    ...fragmentIpv4(long, evenPieces(64, 24)).map((bytes, n) => [`UDP fragment ${n}`, bytes] as const),
    ['tiny first fragment', fragmentIpv4(ipv4(at, plain), [{ start: 0, length: 8 }])[0]!],
    ...fragmentIpv4(long, [
      { start: 0, length: 24 },
      { start: 16, length: 48 },
    ]).map((bytes, n) => [`overlapping fragment ${n}`, bytes] as const),
    ['later fragment that looks like TCP', ipv4({ ...at, fragmentOffset: 100 }, plain)],
  ];
}

function ipv6Packets(at: Addresses, port: number): Named {
  const plain = syn(port);
  const long = ipv6(at, udp({ source: 1000, destination: port, data: new Uint8Array(56) }));
  const hop = { kind: 'hopByHop' } as const;
  const dst = { kind: 'destination' } as const;
  const routing = { kind: 'routing', type: 0, segmentsLeft: 0 } as const;
  const atomic = { kind: 'fragment', id: 7 } as const;
  const auth = { kind: 'ah', spi: 1 } as const;
  const each = { 'hop-by-hop': hop, 'destination options': dst, routing, 'atomic fragment': atomic, AH: auth };
  const chains: readonly (readonly [string, Parameters<typeof ipv6>[0]])[] = [
    ...Object.entries(each).flatMap(([name, one]) => [
      [`${name} before TCP`, { extensions: [one] }] as const,
      [`two ${name}`, { extensions: [one, one] }] as const,
      ...[0, 1, 2, 3, 7].map((cut) => [`${name} cut after ${cut} bytes`, { extensions: [one], cut }] as const),
      [`${name} and 8 bytes of TCP`, { extensions: [one], cut: (one === auth ? 24 : 8) + 8 }] as const,
    ]),
    ['all extension headers', { extensions: [hop, dst, routing, atomic, auth, dst] }],
    ['hop-by-hop longer than the packet', { extensions: [{ ...hop, length: 255 }] }],
    ['destination options longer than the packet', { extensions: [{ ...dst, length: 255 }] }],
    ['routing longer than the packet', { extensions: [{ ...routing, length: 255 }] }],
    ['AH longer than the packet', { extensions: [{ ...auth, length: 255 }] }],
    ['long hop-by-hop, then destination', { extensions: [{ ...hop, length: 255 }, dst] }],
    ['first fragment', { extensions: [{ ...atomic, more: 1 }] }],
    ['later fragment that looks like TCP', { extensions: [{ ...atomic, offset: 100 }] }],
    ['fragment offset 1', { extensions: [{ ...atomic, offset: 1 }] }],
    ['later fragment of destination options', { extensions: [{ ...atomic, offset: 2 }, dst] }],
    ['first fragment of destination options', { extensions: [{ ...atomic, more: 1 }, dst] }],
    ['later fragment of nothing', { extensions: [{ ...atomic, offset: 2, nextHeader: PROTOCOL.none }] }],
    ['payload length 0', { payloadLength: 0 }],
    ['payload length one more than there is', { payloadLength: 21 }],
    ['payload length one less than there is', { payloadLength: 19 }],
    ['version 5', { version: 5 }],
    ['hop limit 0', { hopLimit: 0 }],
    ['hop limit 255', { hopLimit: 255 }],
    ['no payload but TCP promised', { cut: 0 }],
  ];
  return [
    ...payloads(port).map(([why, payload]) => [why, ipv6(at, payload)] as const),
    ...chains.map(([why, fields]) => [why, ipv6({ ...at, ...fields }, plain)] as const),
    ['no next header', ipv6(at, raw(PROTOCOL.none))],
    ['no next header, with data', ipv6(at, raw(PROTOCOL.none, new Uint8Array(20)))],
    ['mobility', ipv6(at, raw(PROTOCOL.mobility, Uint8Array.of(59, 0, 0, 0, 0, 0, 0, 0)))],
    ['hop-by-hop before ESP', ipv6({ ...at, extensions: [hop] }, esp({ spi: 3 }))],
    ...fragmentIpv6(long, evenPieces(64, 24)).map((bytes, n) => [`UDP fragment ${n}`, bytes] as const),
    ['tiny first fragment', fragmentIpv6(ipv6(at, plain), [{ start: 0, length: 8 }])[0]!],
    ...fragmentIpv6(long, [
      { start: 0, length: 24 },
      { start: 16, length: 48 },
    ]).map((bytes, n) => [`overlapping fragment ${n}`, bytes] as const),
  ];
}

/** Transport headers, good and bad, for either family. */
function payloads(port: number): readonly (readonly [string, Payload])[] {
  const ports = { source: 1000, destination: port };
  const options = (...bytes: number[]): Payload =>
    tcp({ ...ports, flags: TCP_FLAGS.SYN, options: Uint8Array.from(bytes) });
  return [
    ['TCP SYN', syn(port)],
    ['TCP SYN ACK', tcp({ ...ports, flags: TCP_FLAGS.SYN | TCP_FLAGS.ACK })],
    ['TCP without flags', tcp(ports)],
    ['TCP with all flags', tcp({ ...ports, flags: 255 })],
    ['TCP with data', tcp({ ...ports, flags: TCP_FLAGS.ACK | TCP_FLAGS.PSH, data: new Uint8Array(33) })],
    ['TCP checksum bad', tcp({ ...ports, flags: TCP_FLAGS.SYN, checksum: 'bad' })],
    ...[0, 1, 2, 3, 4, 8, 13, 14, 19].map((n) => [`TCP cut after ${n} bytes`, truncated(syn(port), n)] as const),
    ['TCP doff 4', tcp({ ...ports, flags: TCP_FLAGS.SYN, dataOffset: 4 })],
    ['TCP doff 0', tcp({ ...ports, flags: TCP_FLAGS.SYN, dataOffset: 0 })],
    ['TCP doff 15 without options', tcp({ ...ports, flags: TCP_FLAGS.SYN, dataOffset: 15 })],
    ['TCP option MSS', options(2, 4, 5, 180)],
    ['TCP options NOP NOP timestamp', options(1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0)],
    ['TCP option of length 0', options(3, 0, 2, 4, 5, 180)],
    ['TCP option of length 1', options(3, 1, 2, 4, 5, 180)],
    ['TCP option past the end', options(3, 40, 2, 4)],
    ['TCP end of list, then options', options(0, 2, 4, 5, 180, 3, 3, 7)],
    ['TCP option kind in the last byte', options(1, 1, 1, 2)],
    ['TCP options cut', truncated(options(2, 4, 5, 180, 1, 1, 1, 1), 24)],
    ['UDP', udp({ ...ports, data: new Uint8Array(5) })],
    ['UDP without checksum', udp({ ...ports, checksum: 0 })],
    ['UDP checksum bad', udp({ ...ports, checksum: 'bad', data: new Uint8Array(5) })],
    ['UDP length 0', udp({ ...ports, length: 0 })],
    ['UDP length too large', udp({ ...ports, length: 100 })],
    ...[0, 3, 4, 7].map((n) => [`UDP cut after ${n} bytes`, truncated(udp(ports), n)] as const),
    ['UDP-Lite', udplite({ ...ports, data: new Uint8Array(5) })],
    ['UDP-Lite cut after 7 bytes', truncated(udplite(ports), 7)],
    ['ICMP echo request', icmp({ type: 8, rest: 0x10001, data: new Uint8Array(8) })],
    ['ICMPv6 echo request', icmp({ type: 128, rest: 0x10001, data: new Uint8Array(8) })],
    ['ICMP type 255', icmp({ type: 255, code: 255 })],
    ['ICMP unreachable', icmp({ type: 3, code: 1, data: join(new Uint8Array(28)) })],
    ...[0, 1, 2, 3, 4, 7].map((n) => [`ICMP cut after ${n} bytes`, truncated(icmp({ type: 8 }), n)] as const),
    ['SCTP', sctp({ ...ports, tag: 1, data: Uint8Array.of(1, 0, 0, 4) })],
    ['DCCP', dccp(ports)],
    ['ESP', esp({ spi: 0x100, data: new Uint8Array(16) })],
    ['GRE', raw(PROTOCOL.gre, Uint8Array.of(0, 0, 8, 0))],
    ['protocol 255', raw(255, new Uint8Array(8))],
    ['protocol 0 or hop-by-hop', raw(0, Uint8Array.of(PROTOCOL.none, 0, 1, 4, 0, 0, 0, 0))],
  ];
}

function syn(port: number): Payload {
  return tcp({ source: 1000, destination: port, flags: TCP_FLAGS.SYN });
}
