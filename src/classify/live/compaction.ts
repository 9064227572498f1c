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

/** The rows of the run that lie in trees, in order. */
export function takeSnapshot(rows: LiveRows, isIn: (row: number) => boolean): Snapshot {
  const ids = Uint32Array.from({ length: rows.count }, (_, row) => row)
    .filter((row) => rows.alive[row] === 1 && isIn(row))
    .sort((a, b) => rows.order[a]! - rows.order[b]! || a - b);
  const column = (from: Uint32Array): Uint32Array => ids.map((id) => from[id]!);
  const entry = new Uint32Array(ids.length);
  for (let i = 1; i < ids.length; i++) {
    entry[i] = entry[i - 1]! + (rows.entry[ids[i]!] === rows.entry[ids[i - 1]!] ? 0 : 1);
  }
  const final = Uint8Array.from(ids, (id) => rows.final[id]!);
  const { max } = rows;
  return { ids, rows: { count: ids.length, max, lo: rows.lo.map(column), hi: rows.hi.map(column), entry, final } };
}

/** Why parts cannot take the place of a run's trees; undefined when they can. One place stays empty for what comes later. */
export function misfit(parts: readonly Part[], places: readonly LivePart[], limits: LiveLimits): 'shape' | undefined {
  if (parts.length >= places.filter(isRuleTree).length) return 'shape';
  const fits = parts.every(
    ({ depth, longestLeaf, hash }) => hash === undefined && depth <= limits.levels && longestLeaf <= limits.leafSlots,
  );
  return fits ? undefined : 'shape';
}

/** Puts the parts where the trees were, `bases` being where there is room for each. The slots of the old trees are given back. */
export function replaceTrees(
  transaction: Transaction,
  trees: readonly TreePart[],
  parts: readonly Part[],
  bases: readonly number[],
  { ids }: Snapshot,
  partOf: Int16Array,
): void {
  const { words, rows } = transaction;
  trees.forEach((tree, i) => {
    if (tree.root >= 0) {
      giveTree(transaction, tree.root);
      transaction.give(tree.root, 1);
    }
    const part = parts[i];
    tree.root = part === undefined ? -1 : bases[i]!;
    tree.rows = part === undefined ? 0 : part.list.length;
    tree.members = part === undefined ? new Set() : undefined;
    if (part === undefined) return;
    const base = bases[i]!;
    words.set(part.words.subarray(0, part.slots * SLOT_WORDS), base * SLOT_WORDS);
    relocateTree(words, 0, base, base);
    renameRows(words, base, ids);
    for (const row of part.list) {
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
