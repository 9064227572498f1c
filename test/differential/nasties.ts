/**
 * Packets that every change must survive: truncated and lying headers, fragments of every kind, extension headers first,
 * twice and cut off, tags. All are the same in every run.
 */
import { type ExtensionHeader, ethernet, ipv4, ipv6 } from '../../src/packet/craft.ts';
import { evenPieces, fragmentIpv4, fragmentIpv6, type Piece } from '../../src/packet/fragment.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import {
  ah,
  dccp,
  esp,
  icmp,
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
import { macOf } from '../support/topology.ts';
import { frameAround, type Stimulus } from './stimulus.ts';

export interface NamedPacket {
  readonly name: string;
  readonly family: Family;
  readonly packet: Uint8Array;
}

const PORTS = { source: 40000, destination: 22 } as const;
const DATA = Uint8Array.from({ length: 24 }, (_, index) => index);
const syn = (options = new Uint8Array(0)): Payload => tcp({ ...PORTS, flags: TCP_FLAGS.SYN, options });

/** Payloads that make sense, more or less, in both families. */
const PAYLOADS: Readonly<Record<string, Payload>> = {
  'tcp syn': syn(),
  'tcp ack with data': tcp({ ...PORTS, flags: TCP_FLAGS.ACK, data: DATA }),
  'tcp to 80': tcp({ source: 1024, destination: 80, flags: TCP_FLAGS.SYN }),
  'tcp all flags': tcp({ ...PORTS, flags: 0xff }),
  'tcp no flags': tcp({ ...PORTS, flags: 0 }),
  'tcp bad checksum': tcp({ ...PORTS, flags: TCP_FLAGS.SYN, checksum: 'bad' }),
  'tcp mss option': syn(Uint8Array.of(2, 4, 5, 0xb4)),
  'tcp option length 0': syn(Uint8Array.of(8, 0, 2, 4, 5, 0xb4, 0, 0)),
  'tcp option past the end': syn(Uint8Array.of(1, 1, 8, 40)),
  'tcp end of list then data': syn(Uint8Array.of(0, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1)),
  'tcp option in the last byte': syn(Uint8Array.of(1, 1, 1, 8)),
  'tcp options not there': truncated(syn(new Uint8Array(20).fill(1)), 24),
  'tcp data offset 4': tcp({ ...PORTS, flags: TCP_FLAGS.SYN, dataOffset: 4 }),
  'tcp data offset 0': tcp({ ...PORTS, flags: TCP_FLAGS.SYN, dataOffset: 0 }),
  'udp to 53': udp({ source: 40000, destination: 53, data: DATA }),
  'udp empty': udp({ source: 53, destination: 40000 }),
  'udp bad checksum': udp({ source: 40000, destination: 53, data: DATA, checksum: 'bad' }),
  'udp length too long': udp({ source: 40000, destination: 53, length: 200, data: DATA }),
  udplite: udplite({ source: 40000, destination: 53, data: DATA }),
  sctp: sctp({ source: 40000, destination: 5060 }),
  dccp: dccp({ source: 40000, destination: 5001 }),
  esp: esp({ data: DATA }),
  ah: ah({}, syn()),
  'unknown protocol': raw(253, DATA),
  'no payload': raw(PROTOCOL.tcp),
};

for (const length of [1, 4, 8, 13, 19]) {
  Object.assign(PAYLOADS, { [`tcp cut at ${length}`]: truncated(syn(), length) });
}
for (const length of [0, 3, 7]) {
  Object.assign(PAYLOADS, { [`udp cut at ${length}`]: truncated(udp({ ...PORTS, data: DATA }), length) });
}

const ECHO: Readonly<Record<Family, number>> = { ipv4: 8, ipv6: 128 };

function icmpPayloads(family: Family): Readonly<Record<string, Payload>> {
  const types = family === 'ipv4' ? [0, 3, 5, 8, 11, 13, 17, 30, 255] : [1, 2, 3, 4, 100, 128, 129, 133, 135, 137, 255];
  return Object.fromEntries([
    ...types.flatMap((type) =>
      [0, 1, 4].map((code) => [`icmp ${type}/${code}`, icmp({ type, code, data: DATA })] as const),
    ),
    ...[0, 1, 3, 4, 7].map(
      (length) => [`icmp cut at ${length}`, truncated(icmp({ type: ECHO[family] }), length)] as const,
    ),
    ['icmp bad checksum', icmp({ type: ECHO[family], data: DATA, checksum: 'bad' })] as const,
  ]);
}

/** Where the packets go: addresses of the topology's second link, so that they are forwarded or delivered as asked. */
export interface Addresses {
  readonly source: string;
  readonly destination: string;
}

export const NASTY_ADDRESSES = {
  ipv4: { source: '10.200.0.77', destination: '10.200.1.77' },
  ipv6: { source: 'fdbf:0::77', destination: 'fdbf:1::77' },
} as const satisfies Record<Family, Addresses>;

function ipv4Nasties(at: Addresses): readonly NamedPacket[] {
  const named = (name: string, packet: Uint8Array): NamedPacket => ({ name, family: 'ipv4', packet });
  const packets = Object.entries({ ...PAYLOADS, ...icmpPayloads('ipv4') }).map(([name, payload]) =>
    named(name, ipv4(at, payload)),
  );
  const options = Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 1);
  const header = (name: string, fields: Parameters<typeof ipv4>[0], payload = syn()): void => {
    packets.push(named(`ipv4 ${name}`, ipv4({ ...at, ...fields }, payload)));
  };
  header('record route', { options });
  header('router alert', { options: Uint8Array.of(0x94, 4, 0, 0) });
  header('bad option length', { options: Uint8Array.of(7, 1, 1, 1) });
  header('header length 4', { ihl: 4 });
  header('header length 15, not there', { ihl: 15 });
  header('total length below the header', { totalLength: 12 });
  header('total length short', { totalLength: 30 });
  header('total length too long', { totalLength: 400 });
  header('bad checksum', { checksum: 'bad' });
  header('version 5', { version: 5 });
  header('reserved flag', { reserved: 1 });
  for (const ttl of [0, 1, 2, 63, 64, 128, 255]) header(`ttl ${ttl}`, { ttl });
  for (const tos of [0x10, 0x2e << 2, 0xff]) header(`tos ${tos}`, { tos });
  for (const source of ['0.0.0.0', '127.0.0.1', '224.0.0.5', '255.255.255.255', '240.0.0.1', at.destination]) {
    header(`from ${source}`, { source });
  }
  for (const destination of ['127.0.0.1', '224.0.0.5', '255.255.255.255', '10.200.0.1', '10.200.0.255', '0.0.0.0']) {
    header(`to ${destination}`, { destination });
  }
  return packets;
}

/** Sets of pieces of a payload of `length` bytes, with what is special about them. */
function cuttings(length: number): Readonly<Record<string, readonly Piece[]>> {
  return {
    'in order': evenPieces(length, 16),
    reversed: [...evenPieces(length, 24)].reverse(),
    'first only': [{ start: 0, length: 24 }],
    'tiny first': [{ start: 0, length: 8 }],
    'offset 1': [{ start: 8, length: 16 }],
    'offset 2': [{ start: 16, length: 16 }],
    'later only': [{ start: 24, length: 16 }],
    overlapping: [
      { start: 0, length: 24 },
      { start: 16, length: length - 16 },
    ],
    'same twice': [
      { start: 0, length: 24 },
      { start: 0, length: 24 },
      { start: 24, length: length - 24 },
    ],
    'last looks like more': [{ start: 0, length, more: true }],
  };
}

function fragments(family: Family, at: Addresses): readonly NamedPacket[] {
  const long = new Uint8Array(64).map((_, index) => (index === 3 ? 22 : index));
  const payloads = { tcp: tcp({ ...PORTS, flags: TCP_FLAGS.SYN, data: long }), udp: udp({ ...PORTS, data: long }) };
  const packets: NamedPacket[] = [];
  let id = 100;
  for (const [protocol, payload] of Object.entries({ ...payloads, icmp: icmp({ type: ECHO[family], data: long }) })) {
    const length = payload({ family, source: new Uint8Array(16), destination: new Uint8Array(16) }).bytes.length;
    for (const [name, pieces] of Object.entries(cuttings(length))) {
      id++;
      const cut =
        family === 'ipv4'
          ? fragmentIpv4(ipv4({ ...at, id }, payload), pieces)
          : fragmentIpv6(ipv6(at, payload), pieces, id);
      cut.forEach((packet, index) => {
        packets.push({ name: `${protocol} fragments ${name} ${index}`, family, packet });
      });
    }
  }
  return packets;
}

const EXTENSIONS: readonly ExtensionHeader[] = [
  { kind: 'hopByHop' },
  { kind: 'destination' },
  { kind: 'routing', type: 0 },
  { kind: 'routing', type: 4 },
  { kind: 'fragment', id: 7 },
  { kind: 'fragment', id: 8, offset: 3, more: 1 },
  { kind: 'ah' },
];

function ipv6Nasties(at: Addresses): readonly NamedPacket[] {
  const named = (name: string, packet: Uint8Array): NamedPacket => ({ name, family: 'ipv6', packet });
  const packets = Object.entries({ ...PAYLOADS, ...icmpPayloads('ipv6') }).map(([name, payload]) =>
    named(name, ipv6(at, payload)),
  );
  const header = (name: string, fields: Parameters<typeof ipv6>[0], payload = syn()): void => {
    packets.push(named(`ipv6 ${name}`, ipv6({ ...at, ...fields }, payload)));
  };
  for (const first of EXTENSIONS) {
    header(`${first.kind} first`, { extensions: [first] });
    header(`${first.kind} first, udp`, { extensions: [first] }, udp({ ...PORTS, data: DATA }));
    header(`${first.kind} first, icmp`, { extensions: [first] }, icmp({ type: 128, data: DATA }));
    header(`${first.kind} first, nothing behind`, { extensions: [first] }, raw(59));
    for (const second of EXTENSIONS) header(`${first.kind} and ${second.kind}`, { extensions: [first, second] });
    for (const cut of [1, 2, 3, 4, 7, 8, 10, 20]) header(`${first.kind} cut at ${cut}`, { extensions: [first], cut });
    if (first.kind !== 'fragment') header(`${first.kind} too long`, { extensions: [{ ...first, length: 200 }] });
  }
  for (const protocol of [PROTOCOL.esp, 59, 135, 0, 43, 44, 60]) {
    header(`next header ${protocol}`, {}, raw(protocol, DATA));
  }
  for (const hopLimit of [0, 1, 2, 63, 64, 255]) header(`hop limit ${hopLimit}`, { hopLimit });
  header('payload length short', { payloadLength: 8 });
  header('payload length too long', { payloadLength: 400 });
  header('payload length zero', { payloadLength: 0 });
  header('version 7', { version: 7 });
  header('traffic class and flow label', { trafficClass: 0xb8, flowLabel: 0x12345 });
  for (const source of ['::', '::1', 'ff02::5', 'fe80::77', at.destination]) header(`from ${source}`, { source });
  for (const destination of ['::1', 'ff02::1', 'ff05::5', 'fe80::77', 'fe80::0:1', 'fdbf:0::1']) {
    header(`to ${destination}`, { destination });
  }
  return packets;
}

/** All nasty packets of a family. */
export function nasties(family: Family, at: Addresses = NASTY_ADDRESSES[family]): readonly NamedPacket[] {
  const packets = family === 'ipv4' ? ipv4Nasties(at) : ipv6Nasties(at);
  return [...packets, ...fragments(family, at)];
}

export interface NamedFrame {
  readonly name: string;
  readonly frame: Uint8Array;
}

/** Frames whose link layer is what is special: tags, broadcasts, foreign addresses, other protocols, wrong types. */
export function nastyFrames(device: Uint8Array): readonly NamedFrame[] {
  const destination = device.reduce((sum, byte) => sum * 256 + byte, 0);
  const four = ipv4(NASTY_ADDRESSES.ipv4, syn());
  const six = ipv6(NASTY_ADDRESSES.ipv6, syn());
  const frames: NamedFrame[] = [];
  for (const [family, packet] of Object.entries({ ipv4: four, ipv6: six })) {
    const add = (name: string, fields: Parameters<typeof ethernet>[0]): void => {
      frames.push({ name: `${family} ${name}`, frame: ethernet({ destination, ...fields }, packet) });
    };
    add('802.1Q', { vlans: [{ id: 10 }] });
    add('priority tag', { vlans: [{ id: 0, priority: 5 }] });
    add('QinQ', { vlans: [{ id: 10 }, { id: 20 }] });
    add('broadcast frame', { destination: 0xffff_ffff_ffff });
    add('multicast frame', { destination: 0x0100_5e00_0001 });
    add('frame for another host', { destination: 0x02bf_ffff_ffff });
    add('the other family’s type', { type: family === 'ipv4' ? 0x86dd : 0x0800 });
    add('unknown type', { type: 0x88b6 });
    frames.push({ name: `${family} padded`, frame: Uint8Array.of(...ethernet({ destination }, packet), ...DATA) });
    for (const cut of [15, 20, 33, 34, 39, 53]) {
      frames.push({ name: `${family} frame cut at ${cut}`, frame: ethernet({ destination }, packet).slice(0, cut) });
    }
  }
  return frames;
}

/** All nasty packets and frames, on every one of the first `links` links and, the packets, sent by the device itself. */
export function nastyStimuli(links: number): readonly Stimulus[] {
  const stimuli: Stimulus[] = [];
  for (const family of FAMILIES) {
    for (const { packet } of nasties(family)) {
      for (let device = 0; device < links; device++) {
        stimuli.push({ kind: 'frame', device, frame: frameAround(packet, macOf(device)) });
      }
      stimuli.push({ kind: 'local', family, packet });
    }
  }
  for (let device = 0; device < links; device++) {
    for (const { frame } of nastyFrames(macOf(device))) stimuli.push({ kind: 'frame', device, frame });
  }
  return stimuli;
}
