/** The values of maps of lists and accounts, decoded: pure, for whoever has the bytes. */

import { ACCOUNT, hashlimitKeyPlaces } from '../codegen/netfilter/state/hashlimit-account.ts';
import { ENTRY, ENTRY_FAMILY, entriesAt, entryBytes, LIST } from '../codegen/netfilter/state/recent-layout.ts';
import { bytesToInteger, formatAddress } from '../packet/address.ts';
import type { Family } from '../packet/netfilter.ts';
import { type HashlimitTable, hashlimitRates, lastCollection } from '../policy/hashlimit.ts';
import type { NamedTable } from '../policy/named.ts';

/** An address of a list, as /proc/net/xt_recent tells of it. */
export interface RecentlySeen {
  readonly family: Family;
  /** Host order. */
  readonly address: bigint;
  readonly ttl: number;
  /** Where the next time goes. */
  readonly index: number;
  /** Jiffies, in the order of their places. */
  readonly times: readonly bigint[];
}

/** The entries of a list (recent-layout.ts), the one that was stored longest ago first. */
export function decodeRecentList(
  value: Uint8Array,
  table: NamedTable & { readonly kind: 'recent' },
): readonly RecentlySeen[] {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const found: RecentlySeen[] = [];
  let number = view.getUint32(LIST.oldest, true);
  // Links of a consistent copy end; the bound is for a copy that is not.
  for (let left = table.entries; number !== 0 && left > 0; left--) {
    const at = entriesAt(table) + (number - 1) * entryBytes(table);
    const u32 = (offset: number): number => view.getUint32(at + offset, true);
    const family = u32(ENTRY.family) === ENTRY_FAMILY.ipv4 ? 'ipv4' : 'ipv6';
    found.push({
      family,
      address:
        family === 'ipv4'
          ? view.getBigUint64(at + ENTRY.high, true)
          : bytesToInteger(value.subarray(at + ENTRY.high, at + ENTRY.high + 16)),
      ttl: u32(ENTRY.ttl),
      index: u32(ENTRY.index),
      times: Array.from({ length: u32(ENTRY.stamps) }, (_, place) =>
        view.getBigUint64(at + ENTRY.times + 8 * place, true),
      ),
    });
    number = u32(ENTRY.newer);
  }
  return found;
}

/** One line of /proc/net/xt_recent/NAME. */
export function formatRecentlySeen({ family, address, ttl, index, times }: RecentlySeen): string {
  const last = times[index - 1] ?? 0n;
  return `src=${longAddress(address, family)} ttl: ${ttl} last_seen: ${last} oldest_pkt: ${index} ${times.join(', ')}`;
}

/** IPv6 addresses with all their digits, as the kernel prints them there. */
function longAddress(address: bigint, family: Family): string {
  if (family === 'ipv4') return formatAddress(address, family);
  return address
    .toString(16)
    .padStart(32, '0')
    .replace(/....(?=.)/g, '$&:');
}

/** One account, as /proc/net/ipt_hashlimit tells of it. */
export interface HashlimitAccountLine {
  readonly expires: bigint;
  readonly source: bigint;
  readonly destination: bigint;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly credit: bigint;
  readonly cap: bigint;
  readonly cost: bigint;
}

/** An account (hashlimit-account.ts), brought up to `now`; undefined if it has expired. */
export function decodeAccount(
  key: Uint8Array,
  value: Uint8Array,
  { family, table }: { readonly family: Family; readonly table: HashlimitTable },
  now: bigint,
  hz: number,
): HashlimitAccountLine | undefined {
  const rates = hashlimitRates(table, hz);
  const places = hashlimitKeyPlaces(family);
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const account = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const u64 = (offset: number): bigint => account.getBigUint64(offset, true);
  const expires = u64(ACCOUNT.expires);
  if (expires <= lastCollection(now, rates)) return undefined;
  const address = (at: number): bigint =>
    family === 'ipv4' ? BigInt(view.getUint32(at, true)) : bytesToInteger(key.subarray(at, at + 16));
  const cap = table.bytes ? rates.cap : u64(ACCOUNT.b);
  const earned = u64(ACCOUNT.a) + (now - u64(ACCOUNT.previous)) * rates.perJiffy;
  return {
    expires,
    source: address(places.source),
    destination: address(places.destination),
    sourcePort: view.getUint16(places.ports + 2, true),
    destinationPort: view.getUint16(places.ports, true),
    credit: table.rateMatch ? u64(ACCOUNT.a) : smaller(earned, cap),
    cap: u64(ACCOUNT.b),
    cost: table.rateMatch ? rates.rate : rates.cost,
  };
}

function smaller(one: bigint, other: bigint): bigint {
  if (one < other) return one;
  return other;
}

/** One line of /proc/net/ipt_hashlimit/NAME. */
export function formatAccount(line: HashlimitAccountLine, family: Family, now: bigint, hz: number): string {
  const left = (line.expires - now) / BigInt(hz);
  const from = `${longAddress(line.source, family)}:${line.sourcePort}`;
  const to = `${longAddress(line.destination, family)}:${line.destinationPort}`;
  return `${left} ${from}->${to} ${line.credit} ${line.cap} ${line.cost}`;
}
