/** Reading slots in JavaScript: what the generated programs do, for tests, explanations and cost figures. */
import { type Rows, rowMatches } from './rows.ts';
import { CHILD_SHIFT, DIMENSION_SHIFT, FIRST_ROW_WORD, LEAF, LEAF_CONTINUES, NOTHING, SLOT_WORDS } from './slots.ts';

/** What look-ups touched, summed up. */
export interface WalkCost {
  slots: number;
  rows: number;
  lookups: number;
}

/** From a root to the leaf of the key: its first slot. */
export function walkTree(words: Uint32Array, root: number, key: Uint32Array, cost?: WalkCost): number {
  let slot = root;
  for (;;) {
    if (cost !== undefined) cost.slots++;
    const at = slot * SLOT_WORDS;
    const head = words[at]!;
    if ((head & LEAF) !== 0) return slot;
    const value = key[(head >>> DIMENSION_SHIFT) & 31]!;
    slot = head >>> CHILD_SHIFT;
    for (let i = 1; i < SLOT_WORDS; i++) if (words[at + i]! < value) slot++;
  }
}

/** The first row of a leaf, not before `from` and before `best`, that contains the key; else `best`. */
export function searchLeaf(
  words: Uint32Array,
  leaf: number,
  rows: Rows,
  key: Uint32Array,
  from: number,
  best: number,
  cost?: WalkCost,
): number {
  for (let slot = leaf; ; slot++) {
    const at = slot * SLOT_WORDS;
    if (cost !== undefined && slot !== leaf) cost.slots++;
    for (let i = FIRST_ROW_WORD; i < SLOT_WORDS; i++) {
      const row = words[at + i]!;
      if (row === NOTHING || row >= best) return best;
      if (row < from) continue;
      if (cost !== undefined) cost.rows++;
      if (rowMatches(rows, row, key)) return row;
    }
    if ((words[at]! & LEAF_CONTINUES) === 0) return best;
  }
}
