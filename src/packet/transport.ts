/**
 * What an IP packet carries: TCP, UDP, ICMP and the others, with correct checksums and lengths unless a field is given.
 *
 * A payload is a function, because its checksum covers the addresses of the packet it will lie in.
 */

import { beBytes, crc32c, internetChecksum, pseudoHeaderSum } from './checksum.ts';
import { buildHeader, type HeaderFields, type HeaderName, writeField } from './headers.ts';
import type { Family } from './netfilter.ts';

/** Where a payload lies: addresses in network order. */
export interface Enclosure {
  readonly family: Family;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

export type Payload = (enclosure: Enclosure) => { readonly protocol: number; readonly bytes: Uint8Array };

/** IP protocol numbers that this folder builds and describes. */
export const PROTOCOL = {
  hopByHop: 0,
  icmp: 1,
  tcp: 6,
  udp: 17,
  dccp: 33,
  routing: 43,
  fragment: 44,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  none: 59,
  destination: 60,
  sctp: 132,
  mobility: 135,
  udplite: 136,
} as const;

/** `checksum`: absent is the right one, 'bad' its complement, a number that number. */
interface Checksummed {
  readonly checksum?: number | 'bad';
}

/** Bits of the TCP flag byte. */
export const TCP_FLAGS = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32, ECE: 64, CWR: 128 } as const;

export interface TcpFields extends Omit<HeaderFields<'tcp'>, 'checksum'>, Checksummed {
  /** Option bytes, padded with zeros to a multiple of four. */
  readonly options?: Uint8Array;
  readonly data?: Uint8Array;
}

/** TCP; `dataOffset` follows the options unless given. */
export function tcp(fields: TcpFields = {}): Payload {
  const { options = NOTHING, data = NOTHING, checksum, ...header } = fields;
  const padded = pad(options, 4);
  const dataOffset = header.dataOffset ?? (5 + padded.length / 4) & 15;
  const bytes = join(buildHeader('tcp', { window: 0xffff, ...header, dataOffset }), padded, data);
  return summed('tcp', PROTOCOL.tcp, bytes, checksum);
}

export interface UdpFields extends Omit<HeaderFields<'udp'>, 'checksum'>, Checksummed {
  readonly data?: Uint8Array;
}

/** UDP; `checksum: 0` means none was computed, which IPv4 allows. */
export function udp(fields: UdpFields = {}): Payload {
  const { data = NOTHING, checksum, ...header } = fields;
  const bytes = join(buildHeader('udp', { length: 8 + data.length, ...header }), data);
  return summed('udp', PROTOCOL.udp, bytes, checksum);
}

/** UDP-Lite over the whole packet (coverage 0, in the place of UDP's length). */
export function udplite(fields: UdpFields = {}): Payload {
  const { data = NOTHING, checksum, ...header } = fields;
  return summed('udp', PROTOCOL.udplite, join(buildHeader('udp', header), data), checksum);
}

export interface IcmpFields extends Omit<HeaderFields<'icmp'>, 'checksum'>, Checksummed {
  readonly data?: Uint8Array;
}

/** ICMP in IPv4, ICMPv6 in IPv6. */
export function icmp(fields: IcmpFields = {}): Payload {
  const { data = NOTHING, checksum, ...header } = fields;
  const bytes = join(buildHeader('icmp', header), data);
  return (enclosure) => {
    const protocol = enclosure.family === 'ipv4' ? PROTOCOL.icmp : PROTOCOL.icmpv6;
    return summed('icmp', protocol, bytes, checksum)(enclosure);
  };
}

export interface SctpFields extends Omit<HeaderFields<'sctp'>, 'checksum'>, Checksummed {
  /** Chunks. */
  readonly data?: Uint8Array;
}

export function sctp(fields: SctpFields = {}): Payload {
  const { data = NOTHING, checksum, ...header } = fields;
  const bytes = join(buildHeader('sctp', header), data);
  const right = crc32c(bytes);
  // CRC32c lies in the header with its low byte first.
  const swapped = new DataView(Uint8Array.from(beBytes(right, 4)).buffer).getUint32(0, true);
  writeField(bytes, 'sctp', 'checksum', checksum === 'bad' ? swapped ^ 0xffff : (checksum ?? swapped));
  return () => ({ protocol: PROTOCOL.sctp, bytes });
}

export function dccp(fields: HeaderFields<'dccp'> & { readonly data?: Uint8Array } = {}): Payload {
  const { data = NOTHING, ...header } = fields;
  return raw(PROTOCOL.dccp, join(buildHeader('dccp', { dataOffset: 3, ...header }), data));
}

/** ESP with opaque data. */
export function esp(fields: HeaderFields<'esp'> & { readonly data?: Uint8Array } = {}): Payload {
  const { data = NOTHING, ...header } = fields;
  return raw(PROTOCOL.esp, join(buildHeader('esp', header), data));
}

/** AH around another payload, with an integrity check value of 12 zero bytes. (In IPv6 it is an extension header.) */
export function ah(fields: HeaderFields<'ah'>, inner: Payload): Payload {
  return (enclosure) => {
    const { protocol, bytes } = inner(enclosure);
    const header = buildHeader('ah', { nextHeader: protocol, length: 4, ...fields });
    return { protocol: PROTOCOL.ah, bytes: join(header, new Uint8Array(12), bytes) };
  };
}

/** Any bytes under any protocol number. */
export function raw(protocol: number, bytes: Uint8Array = NOTHING): Payload {
  return () => ({ protocol, bytes });
}

/** Another payload cut off after `length` bytes; its own length fields still tell of the whole. */
export function truncated(inner: Payload, length: number): Payload {
  return (enclosure) => {
    const { protocol, bytes } = inner(enclosure);
    return { protocol, bytes: bytes.subarray(0, length) };
  };
}

function summed(
  header: Extract<HeaderName, 'tcp' | 'udp' | 'icmp'>,
  protocol: number,
  zeroed: Uint8Array,
  checksum: number | 'bad' | undefined,
): Payload {
  return ({ family, source, destination }) => {
    // ICMP of IPv4 is the one that does not cover the addresses.
    const start =
      protocol === PROTOCOL.icmp ? 0 : pseudoHeaderSum(family, source, destination, protocol, zeroed.length);
    const sum = internetChecksum(zeroed, start);
    // A UDP checksum of 0 would mean "none"; all ones is the same number.
    const right = sum === 0 && header === 'udp' ? 0xffff : sum;
    const bytes = zeroed.slice();
    writeField(bytes, header, 'checksum', checksum === 'bad' ? right ^ 0x5555 : (checksum ?? right));
    return { protocol, bytes };
  };
}

const NOTHING = new Uint8Array(0);

/** One array after the other. */
export function join(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Fills up with zeros to a multiple of `unit` bytes. */
export function pad(bytes: Uint8Array, unit: number): Uint8Array {
  return join(bytes, new Uint8Array((unit - (bytes.length % unit)) % unit));
}
