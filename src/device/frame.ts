/**
 * What a program on a device makes of a frame before it looks at rules: the reference for codegen/device/prologue.ts. The tests are
 * those of ip_rcv_core and ip6_rcv_core.
 */

import type { Family } from '../packet/netfilter.ts';

export type FrameFate =
  /** No IP: nothing that iptables would see. */
  | { readonly kind: 'pass' }
  /** Malformed, or hidden behind too many VLAN tags. */
  | { readonly kind: 'drop' }
  /** `bytes`: the packet from its IP header on, without what the link layer has put behind it. */
  | { readonly kind: 'packet'; readonly family: Family; readonly place: number; readonly bytes: Uint8Array };

const ETHERNET_BYTES = 14;
const TAG_BYTES = 4;
/** 802.1Q and 802.1ad. */
const TAGS: readonly number[] = [0x8100, 0x88a8];
const MOST_TAGS = 2;
const TYPES: Readonly<Record<number, Family>> = { 2048: 'ipv4', 34525: 'ipv6' };

const PASS: FrameFate = Object.freeze({ kind: 'pass' });
const DROP: FrameFate = Object.freeze({ kind: 'drop' });

/** A frame that begins with an Ethernet header. */
export function fateOfFrame(frame: Uint8Array): FrameFate {
  if (frame.length < ETHERNET_BYTES) return DROP;
  let place = ETHERNET_BYTES;
  let type = be16(frame, 12);
  for (let tags = 0; TAGS.includes(type); tags++) {
    if (tags === MOST_TAGS || frame.length < place + TAG_BYTES) return DROP;
    type = be16(frame, place + 2);
    place += TAG_BYTES;
  }
  const family = TYPES[type];
  if (family === undefined) return PASS;
  const bytes = frame.subarray(place);
  const length = family === 'ipv4' ? lengthOfIpv4(bytes) : lengthOfIpv6(bytes);
  if (length === undefined || length > bytes.length) return DROP;
  return { kind: 'packet', family, place, bytes: bytes.subarray(0, length) };
}

function be16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** Undefined: malformed. */
function lengthOfIpv4(bytes: Uint8Array): number | undefined {
  if (bytes.length < 20 || bytes[0]! >> 4 !== 4) return undefined;
  const header = (bytes[0]! & 0x0f) * 4;
  if (header < 20 || header > bytes.length) return undefined;
  let sum = 0;
  for (let at = 0; at < header; at += 2) sum += be16(bytes, at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  if (sum !== 0xffff) return undefined;
  const total = be16(bytes, 2);
  return total < header ? undefined : total;
}

function lengthOfIpv6(bytes: Uint8Array): number | undefined {
  if (bytes.length < 40 || bytes[0]! >> 4 !== 6) return undefined;
  const payload = be16(bytes, 4);
  // Without a length and with hop-by-hop options it is a jumbogram.
  return payload === 0 && bytes[6] === 0 ? bytes.length : 40 + payload;
}
