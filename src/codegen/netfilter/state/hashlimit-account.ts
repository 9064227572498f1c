/**
 * Accounts of a hashlimit table: elements of a hash map, each with its own lock.
 *
 *     key     IPv4: source u32, destination u32 (host order); IPv6: source, destination as they are; then u32 source port << 16 |
 *             destination port, u32 0. What the table does not look at is 0.
 *     value   see ACCOUNT
 */

import type { Family } from '../../../packet/netfilter.ts';

/** Byte offsets in the value. `a` and `b` as in HashlimitAccount. */
export const ACCOUNT = { lock: 0, expires: 8, previous: 16, a: 24, b: 32 } as const;
export const HASHLIMIT_VALUE_BYTES = 40;

const ADDRESS_BYTES = { ipv4: 4, ipv6: 16 } as const;

/** Byte offsets in the key. */
export function hashlimitKeyPlaces(family: Family): {
  readonly source: number;
  readonly destination: number;
  readonly ports: number;
} {
  const bytes = ADDRESS_BYTES[family];
  return { source: 0, destination: bytes, ports: 2 * bytes };
}

export function hashlimitKeyBytes(family: Family): number {
  return 2 * ADDRESS_BYTES[family] + 8;
}
