/**
 * A list of recently seen addresses in one map value, guarded by its lock. All zero is an empty list.
 *
 *     header    lock, how many entries, ends of the order of storing, free entries, how many were ever used, newest time
 *     buckets   u32 each: first entry of the chain
 *     entries   address, family, time to live, times, links
 *
 * Links are numbers of entries counted from 1; 0: none. An IPv4 address is a number in host order in `high`; of an IPv6 address
 * `high` and `low` are the bytes as they are.
 */

import type { NamedTable } from '../../../policy/named.ts';

type RecentTable = NamedTable & { readonly kind: 'recent' };

/** Byte offsets in the value. */
export const LIST = {
  lock: 0,
  count: 4,
  oldest: 8,
  newest: 12,
  free: 16,
  used: 20,
  /** u64 jiffies: time never runs backwards in a list, whatever CPU looks at its clock first. */
  now: 24,
  buckets: 32,
} as const;

/** Byte offsets in an entry. u64: high, low, stamps; u32: the rest. */
export const ENTRY = {
  high: 0,
  low: 8,
  family: 16,
  ttl: 20,
  /** Where the next time is written, before it is cut to the ring. */
  index: 24,
  stamps: 28,
  chainNext: 32,
  chainPrevious: 36,
  bucket: 40,
  /** Towards newer and older entries. */
  newer: 44,
  older: 48,
  number: 52,
  times: 56,
} as const;

/** The families in `ENTRY.family`: NFPROTO_*. */
export const ENTRY_FAMILY = { ipv4: 2, ipv6: 10 } as const;

/** log2 of the number of buckets: at least one for each entry. */
export function bucketBits(table: Pick<RecentTable, 'entries'>): number {
  return Math.max(1, Math.ceil(Math.log2(table.entries)));
}

export function entriesAt(table: Pick<RecentTable, 'entries'>): number {
  return LIST.buckets + 4 * 2 ** bucketBits(table);
}

export function entryBytes(table: Pick<RecentTable, 'ring'>): number {
  return ENTRY.times + 8 * table.ring;
}

export function recentListBytes(table: Pick<RecentTable, 'ring' | 'entries'>): number {
  return entriesAt(table) + table.entries * entryBytes(table);
}
