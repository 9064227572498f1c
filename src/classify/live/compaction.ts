/**
 * Building trees anew beside a run that goes on changing: a snapshot of the rows that lie in trees is turned into parts, by whoever has the
 * time (another thread, too), and the parts take the place of the old ones with one change.
 */
import type { Part } from '../part.ts';
import { relocateTree, thresholdCount } from '../relocate.ts';
import type { Rows } from '../rows.ts';
import { CHILD_SHIFT, FIRST_ROW_WORD, LEAF, LEAF_CONTINUES, NOTHING, SLOT_WORDS } from '../slots.ts';
import type { LiveRows } from './live-rows.ts';
import type { LivePart } from './parts.ts';
import { isRuleTree } from './placement.ts';
import type { Transaction } from './transaction.ts';
import { giveTree, type LiveLimits } from './tree.ts';
import type { TreePart } from './tree-part.ts';

/** Rows in order, to be made into trees (`buildClassifier(rows, 'trees')`). */
export interface Snapshot {
  readonly rows: Rows;
  /** Which row of the run each of them is. */
  readonly ids: Uint32Array;
}

/** The rows of a run at some moment; plain memory, to be sent to another thread. */
export interface RowsCopy extends Pick<LiveRows, 'count' | 'max' | 'lo' | 'hi' | 'entry' | 'final' | 'order'> {
  /** 1: the row lies in a tree of rules. */
  readonly inTree: Uint8Array;
}

export function copyRows(rows: LiveRows, isIn: (row: number) => boolean): RowsCopy {
  const { count, max } = rows;
  const inTree = new Uint8Array(count);
  for (let row = 0; row < count; row++) if (rows.alive[row] === 1 && isIn(row)) inTree[row] = 1;
  const copy = (column: Uint32Array): Uint32Array => column.slice(0, count);
  return {
    ...{ count, max, inTree, lo: rows.lo.map(copy), hi: rows.hi.map(copy) },
    ...{ entry: copy(rows.entry), order: copy(rows.order), final: rows.final.slice(0, count) },
  };
}

/** The rows that lie in trees, in order. */
export function takeSnapshot({ count, max, lo, hi, entry, order, final, inTree }: RowsCopy): Snapshot {
  // Order and id in one number of 53 bits: sorted without a function.
  const keys = new Float64Array(count);
  let taken = 0;
  for (let row = 0; row < count; row++) if (inTree[row] === 1) keys[taken++] = order[row]! * MOST_ROWS + row;
  const ids = Uint32Array.from(keys.subarray(0, taken).sort(), (key) => key % MOST_ROWS);
  const column = (from: Uint32Array): Uint32Array => ids.map((id) => from[id]!);
  const entries = new Uint32Array(taken);
  for (let i = 1; i < taken; i++) entries[i] = entries[i - 1]! + (entry[ids[i]!] === entry[ids[i - 1]!] ? 0 : 1);
  const ends = Uint8Array.from(ids, (id) => final[id]!);
  return { ids, rows: { count: taken, max, lo: lo.map(column), hi: hi.map(column), entry: entries, final: ends } };
}

const MOST_ROWS = 2 ** 21;

/** Why trees cannot take the place of a run's; undefined when they can. One place stays empty for what comes later. */
export function misfit(
  trees: readonly Pick<Part, 'depth' | 'longestLeaf' | 'hash'>[],
  places: readonly LivePart[],
  limits: LiveLimits,
): 'shape' | undefined {
  if (trees.length >= places.filter(isRuleTree).length) return 'shape';
  const fits = trees.every(
    ({ depth, longestLeaf, hash }) => hash === undefined && depth <= limits.levels && longestLeaf <= limits.leafSlots,
  );
  return fits ? undefined : 'shape';
}

/** The slots of a tree of the snapshot's rows as they are from slot `base` of a heap on, with the run's ids for rows. */
export function placeTree(words: Uint32Array, slots: number, base: number, ids: Uint32Array): Uint32Array<ArrayBuffer> {
  const placed = words.slice(0, slots * SLOT_WORDS);
  renameRows(placed, 0, ids);
  relocateTree(placed, 0, base);
  return placed;
}

/** Puts trees where others were, `bases` being where they lie. The slots of the old ones are given back. */
export function replaceTrees(
  transaction: Transaction,
  old: readonly TreePart[],
  trees: readonly Pick<Part, 'list'>[],
  bases: readonly number[],
  ids: Uint32Array,
  partOf: Int16Array,
): void {
  const { rows } = transaction;
  old.forEach((tree, i) => {
    if (tree.root >= 0) {
      giveTree(transaction, tree.root);
      transaction.give(tree.root, 1);
    }
    const built = trees[i];
    tree.root = built === undefined ? -1 : bases[i]!;
    tree.rows = built === undefined ? 0 : built.list.length;
    tree.members = built === undefined ? new Set() : undefined;
    if (built === undefined) return;
    for (const row of built.list) {
      const id = ids[row]!;
      partOf[id] = tree.place;
      tree.firstOrder = Math.min(tree.firstOrder, rows.order[id]!);
    }
  });
}

function renameRows(words: Uint32Array, slot: number, ids: Uint32Array): void {
  const at = slot * SLOT_WORDS;
  const head = words[at]!;
  if ((head & LEAF) !== 0) {
    for (let i = FIRST_ROW_WORD; i < SLOT_WORDS && words[at + i] !== NOTHING; i++) words[at + i] = ids[words[at + i]!]!;
    if ((head & LEAF_CONTINUES) !== 0) renameRows(words, slot + 1, ids);
    return;
  }
  const first = head >>> CHILD_SHIFT;
  const thresholds = thresholdCount(words, slot);
  for (let child = 0; child <= thresholds; child++) renameRows(words, first + child, ids);
}
