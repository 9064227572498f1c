/**
 * The flow word in r8: the fields that most rules test, packed so that one compare can test several.
 *
 *     normal packets (no later fragment, 20 bytes from the transport header on, IPv6 headers walked to their end):
 *      63          48 47       40 39        32 31          16 15      8 7         0
 *     +--------------+-----------+------------+--------------+---------+-----------+
 *     | source port  | TCP flags | TCP length | dest. port   |    0    | protocol  |
 *     +--------------+-----------+------------+--------------+---------+-----------+
 *     "tcp to port 22" is one 32-bit compare. TCP length is zero unless a rule asks for it, flags likewise.
 *
 *     odd packets (all others):
 *      63          48 47          32 31      24 23         16 15  14 13 12           0
 *     +--------------+--------------+----------+-------------+---+-----+--------------+
 *     | source port  | dest. port   | protocol | min(len,255)|bad| 0 0 | frag offset  |  in units of 8 bytes
 *     +--------------+--------------+----------+-------------+---+-----+--------------+
 *
 *     plain (IPv4 rules that never look behind the IP header): bytes 8..15 of the header as they lie in memory
 *     (time to live, protocol, checksum, source address)
 *
 * Whatever the kind, the word is wider than 32 bits to the verifier, so taking out its lower half makes a new value.
 */

import type { FieldName } from '../../policy/fields.ts';
import { ADDRESSES, FLOW } from './layout.ts';

export interface Place {
  readonly register: number;
  readonly shift: number;
  readonly bits: number;
}

export interface FlowLayout {
  readonly kind: 'plain' | 'normal' | 'odd';
  readonly places: Partial<Record<FieldName, Place>>;
  /** Bits of r8 that are always zero. */
  readonly zeroBits: bigint;
}

const V4_ADDRESSES = {
  'ip.saddr': { register: ADDRESSES, shift: 32, bits: 32 },
  'ip.daddr': { register: ADDRESSES, shift: 0, bits: 32 },
} as const satisfies Partial<Record<FieldName, Place>>;

function flow(shift: number, bits: number): Place {
  return { register: FLOW, shift, bits };
}

/** Places that IPv4 and IPv6 share. */
const NORMAL = {
  'transport.sport': flow(48, 16),
  'transport.dport': flow(16, 16),
  'tcp.flags': flow(40, 8),
  'tcp.headerLength': flow(32, 8),
  'icmp.type': flow(56, 8),
  'icmp.code': flow(48, 8),
} as const satisfies Partial<Record<FieldName, Place>>;

const ODD = {
  'transport.sport': flow(48, 16),
  'transport.dport': flow(32, 16),
  'icmp.type': flow(56, 8),
  'icmp.code': flow(48, 8),
} as const satisfies Partial<Record<FieldName, Place>>;

export const ODD_SHIFT = { sport: 48, dport: 32, protocol: 24, length: 16, broken: 15, fragment: 0 } as const;
export const NORMAL_SHIFT = { sport: 48, flags: 40, headerLength: 32, dport: 16, protocol: 0 } as const;
/** The largest transport length that the odd word tells apart. */
export const ODD_LENGTH_MAX = 255;

const NORMAL_ZERO = 0xff00n;

export const FLOW_LAYOUTS = {
  ipv4: {
    plain: {
      kind: 'plain',
      places: { ...V4_ADDRESSES, 'ip.ttl': flow(0, 8), 'ip.protocol': flow(8, 8) },
      zeroBits: 0n,
    },
    normal: {
      kind: 'normal',
      places: { ...V4_ADDRESSES, ...NORMAL, 'ip.protocol': flow(NORMAL_SHIFT.protocol, 8) },
      zeroBits: NORMAL_ZERO,
    },
    odd: {
      kind: 'odd',
      places: { ...V4_ADDRESSES, ...ODD, 'ip.protocol': flow(ODD_SHIFT.protocol, 8), 'ip.fragOffset': flow(0, 13) },
      zeroBits: 0n,
    },
  },
  ipv6: {
    plain: { kind: 'plain', places: {}, zeroBits: 0n },
    normal: {
      kind: 'normal',
      places: { ...NORMAL, 'ip6.protocol': flow(NORMAL_SHIFT.protocol, 8) },
      zeroBits: NORMAL_ZERO,
    },
    odd: {
      kind: 'odd',
      places: { ...ODD, 'ip6.protocol': flow(ODD_SHIFT.protocol, 8), 'ip6.chain': flow(ODD_SHIFT.broken, 1) },
      zeroBits: 0n,
    },
  },
} as const satisfies Record<'ipv4' | 'ipv6', Record<FlowLayout['kind'], FlowLayout>>;
