/**
 * Building packets layer by layer:
 *
 *     ethernet({ vlans: [{ id: 7 }] }, ipv4({ source: '10.0.0.1', destination: '10.0.0.2' }, tcp({ destination: 80 })))
 *
 * Every length, protocol number and checksum is right unless the caller gives it, and then it is exactly as wrong as asked.
 */

import { addressToBytes, parseAddress } from './address.ts';
import { internetChecksum } from './checksum.ts';
import { buildHeader, type HeaderFields, writeField } from './headers.ts';
import type { Family } from './netfilter.ts';
import { join, type Payload, PROTOCOL, pad } from './transport.ts';

const NOTHING = new Uint8Array(0);

/** An address as text, or as an unsigned integer in host order. */
export type AddressLike = string | bigint;

export interface Ipv4Fields extends Omit<HeaderFields<'ipv4'>, 'source' | 'destination' | 'checksum'> {
  readonly source?: AddressLike;
  readonly destination?: AddressLike;
  readonly checksum?: number | 'bad';
  /** Option bytes, padded with zeros to a multiple of four. */
  readonly options?: Uint8Array;
}

/** An IPv4 packet from 192.0.2.1 to 192.0.2.2, TTL 64, unless told otherwise. */
export function ipv4(fields: Ipv4Fields, payload: Payload): Uint8Array {
  const { source: from = '192.0.2.1', destination: to = '192.0.2.2', options = NOTHING, checksum, ...rest } = fields;
  const source = addressBytes(from, 'ipv4');
  const destination = addressBytes(to, 'ipv4');
  const inner = payload({ family: 'ipv4', source, destination });
  const padded = pad(options, 4);
  const header = buildHeader('ipv4', {
    version: 4,
    ihl: (5 + padded.length / 4) & 15,
    totalLength: 20 + padded.length + inner.bytes.length,
    ttl: 64,
    protocol: inner.protocol,
    ...rest,
  });
  header.set(source, 12);
  header.set(destination, 16);
  const whole = join(header, padded);
  const right = internetChecksum(whole);
  writeField(whole, 'ipv4', 'checksum', checksum === 'bad' ? right ^ 0x5555 : (checksum ?? right));
  return join(whole, inner.bytes);
}

/** An extension header; `nextHeader` and `length` are filled in unless given, `data` is what follows its fixed part. */
export type ExtensionHeader =
  | ({ readonly kind: 'hopByHop' | 'destination'; readonly data?: Uint8Array } & HeaderFields<'extension'>)
  | ({ readonly kind: 'routing'; readonly data?: Uint8Array } & HeaderFields<'routing'>)
  /** `offset` in units of 8 bytes. */
  | ({ readonly kind: 'fragment' } & HeaderFields<'fragment'>)
  | ({ readonly kind: 'ah'; readonly data?: Uint8Array } & HeaderFields<'ah'>);

export interface Ipv6Fields extends Omit<HeaderFields<'ipv6'>, 'source' | 'destination'> {
  readonly source?: AddressLike;
  readonly destination?: AddressLike;
  /** In the order in which they stand in the packet. */
  readonly extensions?: readonly ExtensionHeader[];
  /** Cut the packet off after this many bytes behind the fixed header; the payload length then says what is there. */
  readonly cut?: number;
}

/** An IPv6 packet from 2001:db8::1 to 2001:db8::2, hop limit 64, unless told otherwise. */
export function ipv6(fields: Ipv6Fields, payload: Payload): Uint8Array {
  const { source: from = '2001:db8::1', destination: to = '2001:db8::2', extensions = [], cut, ...rest } = fields;
  const source = addressBytes(from, 'ipv6');
  const destination = addressBytes(to, 'ipv6');
  const inner = payload({ family: 'ipv6', source, destination });
  let next = inner.protocol;
  let body = inner.bytes;
  for (const extension of [...extensions].reverse()) {
    body = join(buildExtension(extension, next), body);
    next = PROTOCOL[extension.kind];
  }
  if (cut !== undefined) body = body.subarray(0, cut);
  const header = buildHeader('ipv6', {
    version: 6,
    payloadLength: body.length,
    nextHeader: next,
    hopLimit: 64,
    ...rest,
  });
  header.set(source, 8);
  header.set(destination, 24);
  return join(header, body);
}

function buildExtension(extension: ExtensionHeader, next: number): Uint8Array {
  switch (extension.kind) {
    case 'hopByHop':
    case 'destination': {
      const { kind: _, data = padOption(6), ...fields } = extension;
      const bytes = pad(join(new Uint8Array(2), data), 8);
      bytes.set(buildHeader('extension', { nextHeader: next, length: bytes.length / 8 - 1, ...fields }));
      return bytes;
    }
    case 'routing': {
      const { kind: _, data = new Uint8Array(4), ...fields } = extension;
      const bytes = pad(join(new Uint8Array(4), data), 8);
      bytes.set(buildHeader('routing', { nextHeader: next, length: bytes.length / 8 - 1, ...fields }));
      return bytes;
    }
    case 'fragment': {
      const { kind: _, ...fields } = extension;
      return buildHeader('fragment', { nextHeader: next, ...fields });
    }
    case 'ah': {
      const { kind: _, data = new Uint8Array(12), ...fields } = extension;
      const length = (12 + data.length) / 4 - 2;
      return join(buildHeader('ah', { nextHeader: next, length, ...fields }), data);
    }
  }
}

/** A PadN option of `size` bytes in all, so that the stack finds nothing to complain about. */
function padOption(size: number): Uint8Array {
  return Uint8Array.of(1, size - 2, ...new Array<number>(size - 2).fill(0));
}

export const ETHERTYPE = { ipv4: 0x0800, ipv6: 0x86dd, vlan: 0x8100, qinq: 0x88a8 } as const;

export interface EthernetFields {
  /** Six bytes as one number: 02:00:00:00:00:01 is 0x020000000001. */
  readonly source?: number | bigint;
  readonly destination?: number | bigint;
  /** Of what follows the tags; the family of the packet by its version unless given. */
  readonly type?: number;
  /** Outermost first. `tpid` is 0x8100, or 0x88a8 for a tag with others inside, unless given. */
  readonly vlans?: readonly (HeaderFields<'vlan'> & { readonly tpid?: number })[];
}

/** An Ethernet frame around a packet. */
export function ethernet(fields: EthernetFields, packet: Uint8Array): Uint8Array {
  const { vlans = [], source = 0x0200_0000_0001, destination = 0x0200_0000_0002 } = fields;
  const inner = fields.type ?? (packet[0]! >> 4 === 6 ? ETHERTYPE.ipv6 : ETHERTYPE.ipv4);
  const typeAt = (at: number): number =>
    at === vlans.length ? inner : (vlans[at]!.tpid ?? (at < vlans.length - 1 ? ETHERTYPE.qinq : ETHERTYPE.vlan));
  return join(
    buildHeader('ethernet', { destination, source, type: typeAt(0) }),
    ...vlans.map(({ tpid: _, ...tag }, at) => buildHeader('vlan', { ...tag, type: typeAt(at + 1) })),
    packet,
  );
}

function addressBytes(address: AddressLike, family: Family): Uint8Array {
  const value = typeof address === 'bigint' ? address : parseAddress(address, family);
  if (value === undefined) throw new RangeError(`${String(address)} is not an ${family} address`);
  return addressToBytes(value, family);
}
