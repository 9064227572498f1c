/** Cutting a blob into entries, with the kernel's checks of sizes and targets (check_entry_size_and_hooks, xt_check_entry_offsets). */

import type { Family } from '../packet/netfilter.ts';
import {
  ALIGNMENT,
  aligned,
  ENTRY,
  type EntryFormat,
  ERROR_NAME,
  ERROR_NAME_BYTES,
  ERROR_TARGET_BYTES,
  HEADER,
  KNOWN_INVERTED,
  STANDARD_TARGET_BYTES,
  type TableBlob,
  VERDICT,
} from './format.ts';
import { blobError } from './problem.ts';

/** One match or target where it lies. */
export interface Part {
  readonly name: string;
  readonly revision: number;
  /** The structure behind the header. */
  readonly info: DataView;
}

export type TargetPart =
  | { readonly kind: 'standard'; readonly verdict: number }
  /** The head of a user chain, or the end of the table. */
  | { readonly kind: 'error'; readonly text: string }
  | ({ readonly kind: 'extension' } & Part);

export interface Entry {
  readonly offset: number;
  readonly size: number;
  /** The whole entry. */
  readonly view: DataView;
  readonly matches: readonly Part[];
  readonly target: TargetPart;
  /** No matches and an ip part of zeros: every packet. */
  readonly unconditional: boolean;
}

const latin1 = new TextDecoder('latin1');
const utf8 = new TextDecoder('utf-8');

/** @throws BlobError as the kernel's EINVAL */
export function readEntries(blob: TableBlob, family: Family): readonly Entry[] {
  const { entries: bytes } = blob;
  const entries: Entry[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const entry = readEntry(bytes, offset, ENTRY[family]);
    entries.push(entry);
    offset += entry.size;
  }
  if (entries.length !== blob.numEntries)
    throw blobError('EINVAL', 'the table', `it has ${entries.length} entries where ${blob.numEntries} are announced`);
  return entries;
}

function readEntry(bytes: Uint8Array, offset: number, format: EntryFormat): Entry {
  const where = `the entry at ${offset}`;
  const bad = (why: string): Error => blobError('EINVAL', where, why);
  if (offset % ALIGNMENT !== 0) throw bad('it does not lie at a multiple of 8');
  if (offset + format.size > bytes.length) throw bad('its header reaches beyond the table');
  const head = new DataView(bytes.buffer, bytes.byteOffset + offset, format.size);
  const size = head.getUint16(format.nextOffset, true);
  const targetOffset = head.getUint16(format.targetOffset, true);
  if (size < format.size + HEADER.size) throw bad(`its size of ${size} bytes has no room for a target`);
  if (offset + size > bytes.length) throw bad('it reaches beyond the table');
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, size);
  const flags = view.getUint8(format.flags);
  if ((flags & ~format.knownFlags) !== 0) throw bad(`there are no flags ${flags}`);
  if ((view.getUint8(format.inverted) & ~KNOWN_INVERTED) !== 0) throw bad('it inverts what there is not');
  if (targetOffset < format.size) throw bad('its target lies in its header');
  if (targetOffset + HEADER.size > size) throw bad('its target reaches beyond it');
  const target = readTarget(view, targetOffset, bad);
  const matches = readMatches(view, format.size, targetOffset, bad);
  return { offset, size, view, matches, target, unconditional: isUnconditional(view, format, targetOffset) };
}

function readTarget(view: DataView, at: number, bad: (why: string) => Error): TargetPart {
  const size = view.getUint16(at, true);
  if (size < HEADER.size || at + size > view.byteLength) throw bad(`a target of ${size} bytes does not fit`);
  const part = readPart(view, at, size, bad);
  // The kernel knows these two by their names alone.
  if (part.name === '') {
    if (aligned(at + STANDARD_TARGET_BYTES) !== view.byteLength || size < STANDARD_TARGET_BYTES)
      throw bad('a standard target has not its size');
    const verdict = view.getInt32(at + HEADER.size, true);
    if (verdict <= 0 && !Object.values<number>(VERDICT).includes(verdict)) throw bad(`there is no verdict ${verdict}`);
    return { kind: 'standard', verdict };
  }
  if (part.name === ERROR_NAME && part.revision === 0) {
    if (size !== ERROR_TARGET_BYTES) throw bad('an ERROR target has not its size');
    const text = readName(view, at + HEADER.size, ERROR_NAME_BYTES);
    if (text === undefined) throw bad('the text of an ERROR target has no end');
    return { kind: 'error', text };
  }
  return { kind: 'extension', ...part };
}

function readMatches(view: DataView, from: number, to: number, bad: (why: string) => Error): readonly Part[] {
  const matches: Part[] = [];
  for (let at = from; at < to; ) {
    if (at % ALIGNMENT !== 0) throw bad('a match does not lie at a multiple of 8');
    if (at + HEADER.size > to) throw bad('the header of a match reaches into the target');
    const size = view.getUint16(at, true);
    if (size < HEADER.size || at + size > to) throw bad(`a match of ${size} bytes does not fit`);
    matches.push(readPart(view, at, size, bad));
    at += size;
  }
  return matches;
}

function readPart(view: DataView, at: number, size: number, bad: (why: string) => Error): Part {
  const name = readName(view, at + HEADER.name, HEADER.nameBytes);
  if (name === undefined) throw bad('the name of a match or target has no end');
  return {
    name,
    revision: view.getUint8(at + HEADER.revision),
    info: new DataView(view.buffer, view.byteOffset + at + HEADER.size, size - HEADER.size),
  };
}

/** The bytes up to a NUL; undefined when there is none. */
export function readName(view: DataView, at: number, bytes: number): string | undefined {
  const field = new Uint8Array(view.buffer, view.byteOffset + at, bytes);
  const end = field.indexOf(0);
  if (end === -1) return undefined;
  const name = field.subarray(0, end);
  return name.every((byte) => byte < 0x80) ? latin1.decode(name) : utf8.decode(name);
}

function isUnconditional(view: DataView, format: EntryFormat, targetOffset: number): boolean {
  if (targetOffset !== format.size) return false;
  for (let at = 0; at < format.ip; at++) if (view.getUint8(at) !== 0) return false;
  return true;
}
