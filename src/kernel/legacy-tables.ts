/**
 * The tables of ip_tables and ip6_tables through their own socket options, in the calling thread's network namespace.
 * The bytes are the business of `abi/`; here they only go in and out.
 *
 * Asking for a table brings it into being, hooks and all: see `legacyTables` (kernel-tables.ts) for those that exist.
 */

import { closeSync } from 'node:fs';
import type { Family, TableName } from '../packet/netfilter.ts';
import { isErrno } from './errno.ts';
import { addressOf, syscall } from './syscall.ts';

const AF = { ipv4: 2, ipv6: 10 } as const satisfies Record<Family, number>;
const SOL = { ipv4: 0, ipv6: 41 } as const satisfies Record<Family, number>;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const IPPROTO_RAW = 255;
/** IPT_SO_*, the same numbers for IPv6. */
const OPTION = { REPLACE: 64, ADD_COUNTERS: 65, GET_INFO: 64, GET_ENTRIES: 65 } as const;
const NAME_BYTES = 32;
const INFO_BYTES = 84;
const SIZE_AT = 80;
const ENTRIES_HEADER = 40;
const COUNTER_BYTES = 16;
/** Where `struct ipt_replace` has the number of old counters and the pointer to where they go. */
const NUM_COUNTERS_AT = 84;
const COUNTERS_AT = 88;
/** The size can grow between the two calls, over and over. */
const ATTEMPTS = 10;

/** What GET_INFO and GET_ENTRIES answer, headers included. */
export interface LegacyTableBytes {
  readonly info: Uint8Array;
  readonly entries: Uint8Array;
}

function withSocket<T>(family: Family, fn: (socket: number) => T): T {
  const socket = syscall('socket', [AF[family], SOCK_RAW_CLOEXEC, IPPROTO_RAW], 'opening a socket for ip_tables');
  try {
    return fn(socket);
  } finally {
    closeSync(socket);
  }
}

function get(socket: number, family: Family, option: number, value: Uint8Array, what: string): void {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, value.length, true);
  syscall('getsockopt', [socket, SOL[family], option, value, length], what);
}

/** Reads one table. Makes it if it does not exist. @throws SyscallError (ENOENT, ENOPROTOOPT where the kernel has no such tables) */
export function readLegacyTable(family: Family, table: TableName): LegacyTableBytes {
  return withSocket(family, (socket) => {
    for (let attempt = 1; ; attempt++) {
      const info = new Uint8Array(INFO_BYTES);
      info.set(Buffer.from(table));
      get(socket, family, OPTION.GET_INFO, info, `reading about table ${table}`);
      const size = new DataView(info.buffer).getUint32(SIZE_AT, true);
      const entries = new Uint8Array(ENTRIES_HEADER + size);
      entries.set(Buffer.from(table));
      new DataView(entries.buffer).setUint32(NAME_BYTES, size, true);
      try {
        get(socket, family, OPTION.GET_ENTRIES, entries, `reading table ${table}`);
        return { info, entries };
      } catch (error) {
        // Somebody has changed the table in between.
        if (!isErrno(error, 'EAGAIN') || attempt === ATTEMPTS) throw error;
      }
    }
  });
}

/**
 * Puts a table in the place of the one there: all of it or nothing. `request` is a `struct ipt_replace` with the number of entries
 * of the old table in it; whoever has changed that meanwhile makes it fail with EAGAIN. All counters begin at zero.
 * @returns the counters of the old table at its end, one for each entry
 */
export function replaceLegacyTable(family: Family, request: Uint8Array): Uint8Array {
  const view = new DataView(request.buffer, request.byteOffset, request.length);
  const old = new Uint8Array(COUNTER_BYTES * view.getUint32(NUM_COUNTERS_AT, true));
  view.setBigUint64(COUNTERS_AT, addressOf(old), true);
  withSocket(family, (socket) => {
    syscall('setsockopt', [socket, SOL[family], OPTION.REPLACE, request, request.length], 'replacing a table');
  });
  return old;
}

/** Adds to the counters of a table; `request` is a `struct xt_counters_info` with one pair for each of its entries. */
export function addLegacyCounters(family: Family, request: Uint8Array): void {
  withSocket(family, (socket) => {
    syscall('setsockopt', [socket, SOL[family], OPTION.ADD_COUNTERS, request, request.length], 'adding counters');
  });
}
