/** Lists of recently seen addresses: xt_recent, recent_mt. */

import type { Family } from '../packet/netfilter.ts';

export type RecentOperation = 'set' | 'rcheck' | 'update' | 'remove';

/** What one rule asks of its list. */
export interface RecentQuestion {
  readonly operation: RecentOperation;
  /** Only times of the last so many seconds count; 0: all. */
  readonly seconds: number;
  /** How many times an address must have been seen; 0 is the same as 1. */
  readonly hits: number;
  /** Also removes the address that was seen longest ago if that is longer ago than `seconds`. */
  readonly reap: boolean;
  /** An address that was stored with another time to live is not found. */
  readonly ttl: boolean;
  /** Part of the question, not of the answer: what `update` does depends on it. */
  readonly invert: boolean;
}

export interface RecentList {
  /** 128 bits; IPv4 addresses meet the upper 32. */
  readonly mask: bigint;
  ring: number;
  readonly capacity: number;
  /** By family and address, least recently stored first. */
  readonly entries: Map<string, RecentEntry>;
}

export interface RecentEntry {
  ttl: number;
  /** Jiffies, a ring: the next is written at `index % ring`. */
  stamps: bigint[];
  index: number;
}

/** What a packet brings along. */
export interface RecentSighting {
  readonly family: Family;
  /** Host order. */
  readonly address: bigint;
  /** The time to live as it was before forwarding, 0..255. */
  readonly ttl: number;
  /** Jiffies. */
  readonly now: bigint;
}

/** The module's own number of times to remember, if it is not told otherwise. */
const USUAL_RING = 32;

/** How many times a rule wants remembered: a power of two. `parameter`: ip_pkt_list_tot. */
export function ringSize(hits: number, parameter: number): number {
  if (parameter > 0 && hits < parameter) return powerOfTwo(parameter);
  return hits > 0 ? powerOfTwo(hits) : USUAL_RING;
}

function powerOfTwo(number: number): number {
  return 2 ** Math.ceil(Math.log2(number));
}

export function createRecentList(mask: bigint, ring: number, capacity: number): RecentList {
  return { mask, ring, capacity, entries: new Map() };
}

/** A later rule wants more times remembered: the list starts anew. */
export function growRecentList(list: RecentList, ring: number): void {
  if (ring <= list.ring) return;
  list.entries.clear();
  list.ring = ring;
}

const IPV4_SHIFT = 96n;

/** The key of an address in the list, masked. */
export function recentKey(list: Pick<RecentList, 'mask'>, family: Family, address: bigint): string {
  const masked = family === 'ipv4' ? address & (list.mask >> IPV4_SHIFT) : address & list.mask;
  return `${family} ${masked.toString(16)}`;
}

/** `seconds * HZ` in the kernel's unsigned 32 bits. */
export function recentJiffies(seconds: number, hz: number): number {
  return Math.imul(seconds, hz) >>> 0;
}

/** Runs one rule's question and changes the list. */
export function useRecentList(
  list: RecentList,
  question: RecentQuestion,
  sighting: RecentSighting,
  hz: number,
): boolean {
  const { operation, invert } = question;
  const { entries } = list;
  const key = recentKey(list, sighting.family, sighting.address);
  const entry = entries.get(key);
  const found = entry !== undefined && (!question.ttl || sameTtl(sighting.ttl, entry.ttl));
  if (!found) {
    if (operation !== 'set') return invert;
    if (entries.size >= list.capacity) removeOldest(list);
    entries.set(key, { ttl: sighting.ttl, stamps: [sighting.now], index: 1 });
    return !invert;
  }
  let answer = invert;
  switch (operation) {
    case 'set':
      answer = !invert;
      break;
    case 'remove':
      entries.delete(key);
      return !invert;
    case 'rcheck':
    case 'update': {
      const since = sighting.now - BigInt(recentJiffies(question.seconds, hz));
      const recent = entry.stamps.filter((stamp) => question.seconds === 0 || stamp >= since).length;
      if (recent >= Math.max(1, question.hits)) answer = !invert;
      if (question.reap) reap(list, since, operation === 'update' && answer ? key : undefined);
    }
  }
  if (operation === 'set' || (operation === 'update' && answer)) {
    touch(list, entry, sighting.now);
    entry.ttl = sighting.ttl;
    entries.delete(key);
    entries.set(key, entry);
  }
  return answer;
}

/** 0 on either side matches any. */
function sameTtl(asked: number, stored: number): boolean {
  return asked === stored || asked === 0 || stored === 0;
}

/** recent_entry_update, except for the place in the order. */
function touch(list: RecentList, entry: RecentEntry, now: bigint): void {
  entry.index %= list.ring;
  entry.stamps[entry.index++] = now;
}

function removeOldest(list: RecentList): void {
  for (const key of list.entries.keys()) {
    list.entries.delete(key);
    return;
  }
}

/** recent_entry_reap: looks at the oldest entry only, and spares the one that is about to be stored again. */
function reap(list: RecentList, since: bigint, spared: string | undefined): void {
  for (const [key, { stamps, index }] of list.entries) {
    if (key !== spared && stamps[index - 1]! < since) list.entries.delete(key);
    return;
  }
}
