/** Where things lie in the blobs of ip_tables and ip6_tables (include/uapi/linux/netfilter_ipv4/ip_tables.h and its twin). x86_64 and arm64. */

import { type Family, HOOKS, TABLE_HOOKS, type TableName } from '../packet/netfilter.ts';

/** `struct ipt_entry` and `struct ip6t_entry`. */
export interface EntryFormat {
  /** Bytes of `struct ipt_ip`, which comes first. */
  readonly ip: number;
  readonly targetOffset: number;
  readonly nextOffset: number;
  readonly counters: number;
  /** Bytes before the first match. */
  readonly size: number;
  /** Bytes of an address. */
  readonly address: number;
  readonly inInterface: number;
  readonly outInterface: number;
  readonly inMask: number;
  readonly outMask: number;
  readonly protocol: number;
  readonly flags: number;
  readonly inverted: number;
  /** All bits that `flags` may have, and the one for `-g`. */
  readonly knownFlags: number;
  readonly goto: number;
}

export const ENTRY = {
  ipv4: {
    ip: 84,
    targetOffset: 88,
    nextOffset: 90,
    counters: 96,
    size: 112,
    address: 4,
    inInterface: 16,
    outInterface: 32,
    inMask: 48,
    outMask: 64,
    protocol: 80,
    flags: 82,
    inverted: 83,
    knownFlags: 3,
    goto: 2,
  },
  ipv6: {
    ip: 136,
    targetOffset: 140,
    nextOffset: 142,
    counters: 152,
    size: 168,
    address: 16,
    inInterface: 64,
    outInterface: 80,
    inMask: 96,
    outMask: 112,
    protocol: 128,
    flags: 131,
    inverted: 132,
    knownFlags: 7,
    goto: 4,
  },
} as const satisfies Record<Family, EntryFormat>;

/** IPT_F_FRAG; IP6T_F_PROTO. */
export const FLAG = { fragment: 1, protocolGiven: 1 } as const;
/** IPT_INV_* and IP6T_INV_*. */
export const INVERTED = {
  in: 0x01,
  out: 0x02,
  source: 0x08,
  destination: 0x10,
  fragment: 0x20,
  protocol: 0x40,
} as const;
export const KNOWN_INVERTED = 0x7f;

export const IFNAMSIZ = 16;

/** `struct xt_entry_match` and `struct xt_entry_target`: size u16, name[29], revision u8, then the data. */
export const HEADER = { name: 2, nameBytes: 29, revision: 31, size: 32 } as const;
export const ALIGNMENT = 8;

export function aligned(size: number): number {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT;
}

export const STANDARD_TARGET_BYTES = 40;
export const ERROR_TARGET_BYTES = 64;
export const ERROR_NAME_BYTES = 30;
export const ERROR_NAME = 'ERROR';

/** Verdicts of the standard target below zero; above, it is the offset of an entry. */
export const VERDICT = { DROP: -1, ACCEPT: -2, QUEUE: -4, RETURN: -5 } as const;
export type Verdict = keyof typeof VERDICT;

/** NF_INET_NUMHOOKS */
export const HOOK_COUNT = HOOKS.length;
export const TABLE_NAME_BYTES = 32;

/** The bits of the hooks on which a table has a chain. */
export function validHooks(table: TableName): number {
  const hooks: readonly string[] = TABLE_HOOKS[table].hooks;
  return HOOKS.reduce((bits, hook, number) => (hooks.includes(hook) ? bits | (1 << number) : bits), 0);
}

/** `struct ipt_getinfo`, `struct ipt_get_entries`, `struct ipt_replace`, `struct xt_counters_info`. */
export const INFO_BYTES = 84;
export const GET_ENTRIES_HEADER = 40;
export const REPLACE_HEADER = 96;
export const COUNTERS_HEADER = 40;
export const COUNTER_BYTES = 16;

/** A table's entries with what says where they begin: what GET_INFO and GET_ENTRIES tell, and what REPLACE wants. */
export interface TableBlob {
  readonly name: string;
  /** A bit for each hook. */
  readonly validHooks: number;
  /** By hook number: offset of the first entry, and of the policy. What is not valid is not looked at. */
  readonly hookEntry: readonly number[];
  readonly underflow: readonly number[];
  readonly numEntries: number;
  readonly entries: Uint8Array;
}
