/** A cut tree that changes: rows are put into and taken out of its leaves, or all of it is built anew when it is small. */
import type { Region } from '../cut.ts';
import { SLOT_WORDS } from '../slots.ts';
import type { LiveRows } from './live-rows.ts';
import type { Transaction } from './transaction.ts';
import { buildSlot, editTree, giveTree, leavesMet, type Slot, wholeRegion } from './tree.ts';

export interface TreePart {
  readonly kind: 'tree';
  readonly place: number;
  /** 0: rows of rules; n: those of guard n - 1. */
  readonly group: number;
  /** -1: no part now. */
  root: number;
  rows: number;
  /** No row has a smaller order. */
  firstOrder: number;
  /** The rows of a part that takes what fits nowhere else. */
  members: Set<number> | undefined;
}

/** The box of a row as a region. */
export function regionOf(rows: LiveRows, row: number): Region {
  return {
    lo: Uint32Array.from(rows.lo, (column) => column[row]!),
    hi: Uint32Array.from(rows.hi, (column) => column[row]!),
  };
}

/** Leaf slots that the row would be put into, `most` + 1 or more for too many. */
export function leavesFor(part: TreePart, transaction: Transaction, row: number, most: number): number {
  return leavesMet(transaction.words, part.root, regionOf(transaction.rows, row), most);
}

function setRoot(part: TreePart, transaction: Transaction, content: Slot): void {
  const root = transaction.take(1);
  transaction.words.set(content, root * SLOT_WORDS);
  if (part.root >= 0) transaction.give(part.root, 1);
  part.root = root;
}

/** Puts a row into every leaf that its box meets. */
export function treeInsert(part: TreePart, transaction: Transaction, row: number): void {
  const { rows } = transaction;
  const content = editTree(transaction, part.root, regionOf(rows, row), wholeRegion(rows), 0, (list) =>
    merge(rows, list, [row]),
  );
  if (content !== undefined) setRoot(part, transaction, content);
}

/**
 * Takes a row that is no longer alive out of its leaves. `hidden` are rows of the part that it may have hidden: they come back where they
 * belong.
 */
export function treeRemove(part: TreePart, transaction: Transaction, row: number, hidden: Uint32Array): void {
  const { rows } = transaction;
  const content = editTree(transaction, part.root, regionOf(rows, row), wholeRegion(rows), 0, (list, region) => {
    if (!list.includes(row)) return undefined;
    if (!covers(rows, row, region)) return merge(rows, list, []);
    return merge(
      rows,
      list,
      hidden.filter((other) => intersects(rows, other, region)),
    );
  });
  if (content !== undefined) setRoot(part, transaction, content);
}

/** Builds the part of these rows. */
export function treeRebuild(part: TreePart, transaction: Transaction, list: Uint32Array): void {
  const { rows } = transaction;
  if (part.root >= 0) giveTree(transaction, part.root);
  setRoot(part, transaction, buildSlot(transaction, byOrder(rows, list), wholeRegion(rows), 0));
}

/** Living rows of both lists, each once, by order. */
function merge(rows: LiveRows, list: Uint32Array, added: Iterable<number>): Uint32Array {
  return byOrder(rows, new Set([...list, ...added]));
}

function byOrder(rows: LiveRows, list: Iterable<number>): Uint32Array {
  return Uint32Array.from(list)
    .filter((row) => rows.alive[row] === 1)
    .sort((a, b) => rows.order[a]! - rows.order[b]! || a - b);
}

function covers(rows: LiveRows, row: number, region: Region): boolean {
  for (let d = 0; d < rows.lo.length; d++) {
    if (rows.lo[d]![row]! > region.lo[d]! || rows.hi[d]![row]! < region.hi[d]!) return false;
  }
  return true;
}

export function intersects(rows: LiveRows, row: number, region: Region): boolean {
  for (let d = 0; d < rows.lo.length; d++) {
    if (rows.lo[d]![row]! > region.hi[d]! || rows.hi[d]![row]! < region.lo[d]!) return false;
  }
  return true;
}
