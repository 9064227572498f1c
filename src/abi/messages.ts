/** The headers around a blob: what GET_INFO answers, what REPLACE and ADD_COUNTERS are given. */

import type { Family } from '../packet/netfilter.ts';
import type { Counters } from '../rules/model.ts';
import { readName } from './entries.ts';
import {
  COUNTER_BYTES,
  COUNTERS_HEADER,
  ENTRY,
  GET_ENTRIES_HEADER,
  HOOK_COUNT,
  INFO_BYTES,
  REPLACE_HEADER,
  TABLE_NAME_BYTES,
  type TableBlob,
} from './format.ts';
import { BlobError, type BlobProblem, blobError } from './problem.ts';

/** `struct ipt_getinfo`. */
export interface TableInfo extends Omit<TableBlob, 'entries'> {
  /** Bytes of the entries. */
  readonly size: number;
}

/** @throws RangeError when it has not its 84 bytes */
export function readInfo(bytes: Uint8Array): TableInfo {
  if (bytes.length !== INFO_BYTES) throw new RangeError(`${bytes.length} bytes are no ipt_getinfo`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    name: readName(view, 0, TABLE_NAME_BYTES) ?? '',
    validHooks: view.getUint32(32, true),
    hookEntry: words(view, 36),
    underflow: words(view, 56),
    numEntries: view.getUint32(76, true),
    size: view.getUint32(80, true),
  };
}

function words(view: DataView, from: number): readonly number[] {
  return Array.from({ length: HOOK_COUNT }, (_, at) => view.getUint32(from + 4 * at, true));
}

/** The blob of a GET_ENTRIES answer whose GET_INFO was `info`. */
export function blobOf({ size, ...info }: TableInfo, answer: Uint8Array): TableBlob {
  return { ...info, entries: answer.subarray(GET_ENTRIES_HEADER, GET_ENTRIES_HEADER + size) };
}

/** XT_MAX_TABLE_SIZE */
const LARGEST = 512 * 1024 * 1024;
const MOST_COUNTERS = Math.floor(0x7fff_ffff / COUNTER_BYTES);
export const REPLACE_COUNTERS_AT = 88;

export type ReplaceRequest =
  | { readonly blob: TableBlob; readonly numCounters: number }
  | { readonly problem: BlobProblem };

/** Takes the argument of REPLACE apart, with the kernel's checks of its header. Never throws. */
export function readReplace(bytes: Uint8Array): ReplaceRequest {
  try {
    return replaceRequest(bytes);
  } catch (error) {
    if (error instanceof BlobError) return { problem: error.problem };
    throw error;
  }
}

function replaceRequest(bytes: Uint8Array): ReplaceRequest {
  const where = 'the request';
  if (bytes.length < REPLACE_HEADER) throw blobError('EINVAL', where, 'it is shorter than its header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const size = view.getUint32(40, true);
  const numCounters = view.getUint32(84, true);
  if (numCounters >= MOST_COUNTERS) throw blobError('ENOMEM', where, `room for ${numCounters} counters`);
  if (numCounters === 0) throw blobError('EINVAL', where, 'it has no room for counters');
  if (bytes.length < size + REPLACE_HEADER) throw blobError('EINVAL', where, 'it is shorter than its entries');
  if (size >= LARGEST) throw blobError('ENOMEM', where, `entries of ${size} bytes`);
  const blob = {
    name: readName(view, 0, TABLE_NAME_BYTES) ?? '',
    validHooks: view.getUint32(32, true),
    numEntries: view.getUint32(36, true),
    hookEntry: words(view, 44),
    underflow: words(view, 64),
    entries: bytes.subarray(REPLACE_HEADER, REPLACE_HEADER + size),
  };
  return { blob, numCounters };
}

/** `struct ipt_replace` with its entries. The pointer at 88, where the kernel writes the old counters to, is left to the caller. */
export function writeReplace(blob: TableBlob, numCounters: number): Uint8Array {
  const bytes = new Uint8Array(REPLACE_HEADER + blob.entries.length);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(blob.name), 0);
  view.setUint32(32, blob.validHooks, true);
  view.setUint32(36, blob.numEntries, true);
  view.setUint32(40, blob.entries.length, true);
  for (let hook = 0; hook < HOOK_COUNT; hook++) {
    view.setUint32(44 + 4 * hook, blob.hookEntry[hook] ?? 0, true);
    view.setUint32(64 + 4 * hook, blob.underflow[hook] ?? 0, true);
  }
  view.setUint32(84, numCounters, true);
  bytes.set(blob.entries, REPLACE_HEADER);
  return bytes;
}

/** The counters of all entries, in order. */
export function countersOf(blob: TableBlob, family: Family): readonly Counters[] {
  const view = new DataView(blob.entries.buffer, blob.entries.byteOffset, blob.entries.length);
  const format = ENTRY[family];
  const counters: Counters[] = [];
  for (let at = 0; at + format.size <= view.byteLength; ) {
    counters.push({
      packets: view.getBigUint64(at + format.counters, true),
      bytes: view.getBigUint64(at + format.counters + 8, true),
    });
    const size = view.getUint16(at + format.nextOffset, true);
    if (size === 0) break;
    at += size;
  }
  return counters;
}

/** `struct xt_counters_info`: numbers that ADD_COUNTERS adds to those of the table. */
export function writeCounters(table: string, counters: readonly Counters[]): Uint8Array {
  const bytes = new Uint8Array(COUNTERS_HEADER + COUNTER_BYTES * counters.length);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(table), 0);
  view.setUint32(32, counters.length, true);
  for (const [index, { packets, bytes: count }] of counters.entries()) {
    view.setBigUint64(COUNTERS_HEADER + COUNTER_BYTES * index, packets, true);
    view.setBigUint64(COUNTERS_HEADER + COUNTER_BYTES * index + 8, count, true);
  }
  return bytes;
}
