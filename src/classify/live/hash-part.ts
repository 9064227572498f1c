/**
 * A hash of which buckets change. A bucket is rebuilt whole. Where nothing else changes, one store leads from the old
 * bucket to the new one; otherwise the array of buckets is copied, and the copy changed.
 */
import { bucketOf, type HashSpec } from '../hash.ts';
import { CHILD_SHIFT, LEAF, SLOT_BYTES, SLOT_WORDS } from '../slots.ts';
import type { LiveRows } from './live-rows.ts';
import type { Transaction } from './transaction.ts';
import { buildSlot, giveTree, wholeRegion } from './tree.ts';

export interface HashPart {
  readonly kind: 'hash';
  readonly place: number;
  /** As in a TreePart. */
  readonly group: number;
  readonly hash: HashSpec;
  /** First bucket, a slot. */
  first: number;
  /** Rows of each bucket, linked; ends with -1. */
  readonly heads: Int32Array;
  readonly next: Int32Array;
  /** 1: the bucket only leads to eight copies of the slot that it should be. */
  readonly led: Uint8Array;
  rows: number;
  firstOrder: number;
}

/** Rows of a bucket beyond which others go elsewhere. */
const CROWDED = 48;
/** Arrays of more buckets are not copied for one row. */
const COPY_BUCKETS = 1 << 17;

/** Buckets that a change of one row copies at most. */
export function bucketsCopied(part: { readonly kind: 'tree' } | HashPart, alone: boolean): number {
  if (part.kind === 'tree') return 0;
  const buckets = 1 << part.hash.bits;
  return alone && buckets > COPY_BUCKETS ? 0 : buckets;
}

export function createHashPart(
  { place, group }: { readonly place: number; readonly group: number },
  hash: HashSpec,
  first: number,
  rows: LiveRows,
  list: Uint32Array,
  firstOrder: number,
): HashPart {
  const buckets = 1 << hash.bits;
  const heads = new Int32Array(buckets).fill(-1);
  const next = new Int32Array(rows.capacity).fill(-1);
  for (const row of list) {
    const bucket = bucketOf(hash, rows.lo, row);
    next[row] = heads[bucket]!;
    heads[bucket] = row;
  }
  return {
    kind: 'hash',
    place,
    group,
    hash,
    first,
    heads,
    next,
    led: new Uint8Array(buckets),
    rows: list.length,
    firstOrder,
  };
}

/** Whether a row can stand here: one value in each of the hash's dimensions, in a bucket with room. */
export function hashTakes(part: HashPart, rows: LiveRows, row: number): boolean {
  for (const d of part.hash.dimensions) if (rows.lo[d]![row] !== rows.hi[d]![row]) return false;
  let length = 0;
  for (let other = part.heads[bucketOf(part.hash, rows.lo, row)]!; other >= 0; other = part.next[other]!) length++;
  return length < CROWDED;
}

export function hashInsert(part: HashPart, transaction: Transaction, row: number, quiet: boolean): void {
  const bucket = bucketOf(part.hash, transaction.rows.lo, row);
  part.next[row] = part.heads[bucket]!;
  part.heads[bucket] = row;
  part.rows++;
  rebuildBucket(part, transaction, bucket, quiet);
}

export function hashRemove(part: HashPart, transaction: Transaction, row: number, quiet: boolean): void {
  const bucket = bucketOf(part.hash, transaction.rows.lo, row);
  if (part.heads[bucket] === row) part.heads[bucket] = part.next[row]!;
  else {
    let before = part.heads[bucket]!;
    while (part.next[before] !== row) before = part.next[before]!;
    part.next[before] = part.next[row]!;
  }
  part.rows--;
  rebuildBucket(part, transaction, bucket, quiet);
}

/** `quiet`: no reader can be under way in what an earlier change has replaced, in another part than this. */
function rebuildBucket(part: HashPart, transaction: Transaction, bucket: number, quiet: boolean): void {
  const { words, rows } = transaction;
  const members: number[] = [];
  for (let row = part.heads[bucket]!; row >= 0; row = part.next[row]!) if (rows.alive[row] === 1) members.push(row);
  const list = Uint32Array.from(members).sort((a, b) => rows.order[a]! - rows.order[b]! || a - b);
  const buckets = 1 << part.hash.bits;
  if (transaction.alone && (quiet || buckets > COPY_BUCKETS)) {
    leadTo(part, transaction, bucket, list);
    return;
  }
  // One copy for all rows that a change is about.
  if (!transaction.isNew(part.first)) {
    const copy = transaction.take(buckets);
    words.copyWithin(copy * SLOT_WORDS, part.first * SLOT_WORDS, (part.first + buckets) * SLOT_WORDS);
    transaction.give(part.first, buckets);
    part.first = copy;
  }
  const content = buildSlot(transaction, list, wholeRegion(rows), 0);
  giveBucket(part, transaction, bucket);
  words.set(content, (part.first + bucket) * SLOT_WORDS);
  part.led[bucket] = 0;
}

/**
 * One store makes the bucket's slot an inner one. Its thresholds are then whatever else the slot held, so any of eight children may
 * be taken; all are the new bucket. A reader that had already taken the slot for a leaf finds the rest of it as it was.
 */
function leadTo(part: HashPart, transaction: Transaction, bucket: number, list: Uint32Array): void {
  const { words, rows } = transaction;
  const content = buildSlot(transaction, list, wholeRegion(rows), 1);
  const copies = transaction.take(8);
  for (let i = 0; i < 8; i++) words.set(content, (copies + i) * SLOT_WORDS);
  giveBucket(part, transaction, bucket);
  const head = (copies << CHILD_SHIFT) >>> 0;
  words[(part.first + bucket) * SLOT_WORDS] = head;
  part.led[bucket] = 1;
  // The region begins where its buffer begins.
  const offset = words.byteOffset + (part.first + bucket) * SLOT_BYTES;
  transaction.commit = { offset, value: head, place: part.place };
}

/** Gives back what lies behind a bucket, not the bucket's slot. */
function giveBucket(part: HashPart, transaction: Transaction, bucket: number): void {
  const slot = part.first + bucket;
  const head = transaction.words[slot * SLOT_WORDS]!;
  if (part.led[bucket] === 0 || (head & LEAF) !== 0) {
    giveTree(transaction, slot);
    return;
  }
  const copies = head >>> CHILD_SHIFT;
  giveTree(transaction, copies);
  transaction.give(copies, 8);
}
