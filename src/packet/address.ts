/**
 * IPv4 and IPv6 addresses as unsigned integers in host order: 10.0.0.1 is 0x0a000001n, ::1 is 1n.
 *
 * Text goes in as inet_pton(3) reads it and comes out as glibc's inet_ntop(3) prints it, because that is what
 * iptables-save shows.
 */

import type { Family } from './netfilter.ts';
import { plainQuad } from './plain-quad.ts';

/** Width of an address in bits. */
export const ADDRESS_BITS = { ipv4: 32, ipv6: 128 } as const satisfies Record<Family, number>;

/** Reads a complete numeric address; undefined if `text` is not one. IPv4: four decimal parts without leading zeros. */
export function parseAddress(text: string, family: Family): bigint | undefined {
  return family === 'ipv4' ? parseIpv4(text) : parseIpv6(text);
}

/** Prints an address as inet_ntop does. */
export function formatAddress(address: bigint, family: Family): string {
  return family === 'ipv4' ? formatIpv4(address) : formatIpv6(address);
}

/** Dotted quad as inet_pton(AF_INET) accepts it: exactly four decimal numbers 0..255, no leading zeros. */
export function parseIpv4(text: string): bigint | undefined {
  const value = plainQuad(text);
  return value === undefined ? undefined : BigInt(value);
}

/**
 * An IPv4 address as iptables reads it after -s, -d and in its matches (xtables_numeric_to_ipaddr): one to four numbers
 * 0..255 in C notation (`0x0a`, `012`), missing ones are zero at the end. `10.1` is 10.1.0.0. A mask
 * (`complete: true`) must have all four.
 */
export function parseIpv4Loose(text: string, options: { readonly complete?: boolean } = {}): bigint | undefined {
  const plain = plainQuad(text);
  if (plain !== undefined) return BigInt(plain);
  const parts = text.split('.');
  if (parts.length > 4 || (options.complete === true && parts.length !== 4)) return undefined;
  let value = 0n;
  for (let at = 0; at < 4; at++) {
    const part = parts[at];
    const octet = part === undefined ? 0 : parseCNumber(part);
    if (octet === undefined || octet > 255) return undefined;
    value = (value << 8n) | BigInt(octet);
  }
  return value;
}

function parseCNumber(text: string): number | undefined {
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) return Number.parseInt(text.slice(2), 16);
  if (/^0[0-7]*$/.test(text)) return Number.parseInt(text, 8);
  return /^[1-9]\d*$/.test(text) ? Number.parseInt(text, 10) : undefined;
}

/** An IPv6 address as inet_pton(AF_INET6) accepts it: hex groups, one `::`, an optional dotted quad at the end. */
export function parseIpv6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves;
  const front = parseGroups(head ?? '', halves.length === 1);
  if (front === undefined) return undefined;
  if (tail === undefined) return front.length === 8 ? joinGroups(front) : undefined;
  const back = parseGroups(tail, true);
  if (back === undefined) return undefined;
  const zeros = 8 - front.length - back.length;
  // inet_pton lets `::` stand for one group or more, not for none.
  if (zeros < 1) return undefined;
  return joinGroups([...front, ...new Array<number>(zeros).fill(0), ...back]);
}

/** Groups of one side of `::`; a dotted quad (two groups) may only stand at the very end of the address. */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const words = text.split(':');
  const groups: number[] = [];
  for (const [at, word] of words.entries()) {
    if (last && at === words.length - 1 && word.includes('.')) {
      const quad = parseIpv4(word);
      if (quad === undefined) return undefined;
      groups.push(Number(quad >> 16n), Number(quad & 0xffffn));
      continue;
    }
    if (!/^[0-9a-fA-F]{1,4}$/.test(word)) return undefined;
    groups.push(Number.parseInt(word, 16));
  }
  return groups.length > 8 ? undefined : groups;
}

function joinGroups(groups: readonly number[]): bigint {
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** Dotted quad. */
export function formatIpv4(address: bigint): string {
  const value = Number(address & 0xffff_ffffn);
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

/**
 * As glibc's inet_ntop: the first longest run of at least two zero groups becomes `::`; when that run is the first six
 * groups, or the first five followed by ffff, the last 32 bits are a dotted quad (`::ffff:10.0.0.1`, but also `::1.2.3.4`).
 */
export function formatIpv6(address: bigint): string {
  const groups = Array.from({ length: 8 }, (_, at) => Number((address >> BigInt(112 - 16 * at)) & 0xffffn));
  const run = longestZeroRun(groups);
  const embedded = run.start === 0 && (run.length === 6 || (run.length === 5 && groups[5] === 0xffff));
  const words = groups.map((group) => group.toString(16));
  if (embedded) words.splice(6, 2, formatIpv4(address));
  if (run.length < 2) return words.join(':');
  return `${words.slice(0, run.start).join(':')}::${words.slice(run.start + run.length).join(':')}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

/** The mask of a prefix length 0..32 or 0..128. */
export function prefixToMask(prefix: number, family: Family): bigint {
  return MASKS[family][prefix] ?? prefixMask(prefix, ADDRESS_BITS[family]);
}

const MASKS = { ipv4: prefixMasks(32), ipv6: prefixMasks(128) } as const satisfies Record<Family, readonly bigint[]>;

function prefixMasks(bits: number): readonly bigint[] {
  return Array.from({ length: bits + 1 }, (_, prefix) => prefixMask(prefix, bits));
}

function prefixMask(prefix: number, bits: number): bigint {
  const ones = (1n << BigInt(bits)) - 1n;
  return (ones << BigInt(bits - prefix)) & ones;
}

/** Prefix length of a mask whose ones all come first; undefined for any other mask. */
export function maskToPrefix(mask: bigint, family: Family): number | undefined {
  const bits = ADDRESS_BITS[family];
  if (mask === MASKS[family][bits]) return bits;
  const inverse = mask ^ ((1n << BigInt(bits)) - 1n);
  // Ones first means that the inverse is 2^n - 1.
  if ((inverse & (inverse + 1n)) !== 0n) return undefined;
  return inverse === 0n ? bits : bits - inverse.toString(2).length;
}

/** A mask as iptables-save writes it after the slash: the prefix length where there is one, else as an address. */
export function formatMask(mask: bigint, family: Family): string {
  const prefix = maskToPrefix(mask, family);
  return prefix === undefined ? formatAddress(mask, family) : String(prefix);
}

/** Network byte order: 4 or 16 bytes. */
export function addressToBytes(address: bigint, family: Family): Uint8Array {
  const length = ADDRESS_BITS[family] / 8;
  return Uint8Array.from({ length }, (_, at) => Number((address >> BigInt(8 * (length - 1 - at))) & 0xffn));
}

/** The unsigned integer of bytes in network order, of any length. */
export function bytesToInteger(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}
