/** A table's entries as a client sends and gets them: where each begins, what it is in its chain, and how two such lists differ. Pure. */

import type { Family } from '../packet/netfilter.ts';
import { ALIGNMENT, ENTRY, type EntryFormat, ERROR_NAME, ERROR_NAME_BYTES, HEADER, HOOK_COUNT } from './format.ts';

/** `policy` ends a built-in chain, `tail` another one, whose name the `head` has; `end` ends the table. */
export type EntryRole = 'rule' | 'policy' | 'head' | 'tail' | 'end';

export interface EntryList {
  readonly family: Family;
  readonly bytes: Buffer;
  /** By entry. */
  readonly offsets: readonly number[];
  /** Offset of the first rule of each user chain, and which one it is. */
  readonly chains: ReadonlyMap<number, string>;
}

/** Undefined where the bytes are no entries one behind the other. */
export function listEntries(bytes: Buffer, family: Family): EntryList | undefined {
  const format = ENTRY[family];
  const offsets: number[] = [];
  const chains = new Map<number, string>();
  for (let at = 0; at < bytes.length; ) {
    if (at + format.size + HEADER.size > bytes.length) return undefined;
    const size = bytes.readUInt16LE(at + format.nextOffset);
    const target = bytes.readUInt16LE(at + format.targetOffset);
    const fits = size % ALIGNMENT === 0 && at + size <= bytes.length;
    if (!fits || target < format.size || target + HEADER.size > size) return undefined;
    offsets.push(at);
    const name = errorText(bytes, at + target, at + size);
    if (name !== undefined) chains.set(at + size, name);
    at += size;
  }
  return { family, bytes, offsets, chains };
}

/** What an ERROR target says; undefined for other targets. */
function errorText(bytes: Buffer, at: number, end: number): string | undefined {
  const name = at + HEADER.name;
  if (bytes.toString('latin1', name, name + ERROR_NAME.length + 1) !== `${ERROR_NAME}\0`) return undefined;
  const text = bytes.subarray(at + HEADER.size, Math.min(end, at + HEADER.size + ERROR_NAME_BYTES));
  const length = text.indexOf(0);
  return text.toString('latin1', 0, length === -1 ? text.length : length);
}

export function entryEnd({ bytes, offsets }: EntryList, index: number): number {
  return offsets[index + 1] ?? bytes.length;
}

/** Entries from..to) of the old list have given way to from..newTo) of the new one. */
export interface Difference {
  readonly from: number;
  readonly to: number;
  readonly newTo: number;
}

/** What differs but for counters, `comefrom`, and the offsets of jumps that lead to the same chain. */
export function difference(old: EntryList, now: EntryList): Difference {
  const format = ENTRY[old.family];
  const shorter = Math.min(old.offsets.length, now.offsets.length);
  // Without jumps to chains equal bytes at the same place mean the same.
  const plain = old.chains.size <= 1 && now.chains.size <= 1;
  let from = 0;
  while (plain && from + BLOCK < shorter && sameBlock(old, now, from)) from += BLOCK;
  while (from < shorter && sameEntry(old, from, now, from, format)) from++;
  let [to, newTo] = [old.offsets.length, now.offsets.length];
  while (to > from && newTo > from && sameEntry(old, to - 1, now, newTo - 1, format)) {
    to--;
    newTo--;
  }
  return { from, to, newTo };
}

const BLOCK = 64;

function sameBlock(old: EntryList, now: EntryList, from: number): boolean {
  const [start, end] = [old.offsets[from]!, old.offsets[from + BLOCK]!];
  return end <= now.bytes.length && old.bytes.compare(now.bytes, start, end, start, end) === 0;
}

function sameEntry(old: EntryList, at: number, now: EntryList, nowAt: number, format: EntryFormat): boolean {
  const [a, b] = [old.offsets[at]!, now.offsets[nowAt]!];
  const [aEnd, bEnd] = [entryEnd(old, at), entryEnd(now, nowAt)];
  if (aEnd - a !== bEnd - b) return false;
  const head = format.nextOffset + 2;
  if (old.bytes.compare(now.bytes, b, b + head, a, a + head) !== 0) return false;
  const elements = format.size;
  const verdictAt = jumpAt(old, a, format);
  if (verdictAt === undefined) return old.bytes.compare(now.bytes, b + elements, bEnd, a + elements, aEnd) === 0;
  const upTo = verdictAt - a;
  return (
    old.bytes.compare(now.bytes, b + elements, b + upTo, a + elements, a + upTo) === 0 &&
    destination(old, verdictAt, aEnd) === destination(now, b + upTo, bEnd)
  );
}

/** Where the verdict of a jump stands. */
function jumpAt({ bytes }: EntryList, at: number, format: EntryFormat): number | undefined {
  const target = at + bytes.readUInt16LE(at + format.targetOffset);
  if (bytes[target + HEADER.name] !== 0) return undefined;
  return bytes.readInt32LE(target + HEADER.size) > 0 ? target + HEADER.size : undefined;
}

/** Where a verdict leads: to the next entry, to a chain by its name, or to what only its number says. */
function destination({ bytes, chains }: EntryList, verdictAt: number, end: number): string {
  const verdict = bytes.readInt32LE(verdictAt);
  if (verdict === end) return 'next';
  return chains.has(verdict) ? `chain ${chains.get(verdict)}` : `${verdict}`;
}

/** What each entry is, if the table is built as libiptc builds it. `bases`: the built-in chains by hook number. */
export function rolesOf(
  list: EntryList,
  hookEntry: readonly number[],
  underflow: readonly number[],
  bases: ReadonlyMap<number, string>,
): readonly { readonly role: EntryRole; readonly chain: string }[] | undefined {
  const roles: { role: EntryRole; chain: string }[] = [];
  const { offsets, chains } = list;
  let at = 0;
  for (let hook = 0; hook < HOOK_COUNT; hook++) {
    const chain = bases.get(hook);
    if (chain === undefined) continue;
    if (offsets[at] !== hookEntry[hook]) return undefined;
    while (at < offsets.length && offsets[at] !== underflow[hook]) {
      roles.push({ role: 'rule', chain });
      at++;
    }
    roles.push({ role: 'policy', chain });
    at++;
  }
  for (; at < offsets.length; at++) {
    const name = chains.get(entryEnd(list, at));
    if (at === offsets.length - 1) roles.push({ role: 'end', chain: '' });
    else if (name !== undefined) roles.push({ role: 'head', chain: name });
    else {
      const last = chains.has(entryEnd(list, at + 1));
      roles.push({ role: last ? 'tail' : 'rule', chain: roles.at(-1)!.chain });
    }
  }
  return roles.length === offsets.length ? roles : undefined;
}
