/** What look-ups cost, in nanoseconds of one machine: only to compare structures with each other. */
import type { CutTree } from './cut-tree.ts';
import { SLOT_BYTES } from './slots.ts';

export interface Cost {
  /** Mean of a look-up. */
  readonly nanoseconds: number;
  readonly bytes: number;
}

/** Entering a structure and leaving it: two jumps that the predictor gets wrong every other time. */
export const ENTER_NS = 6;
/** One inner slot in the first-level cache, and one row compared. */
const SLOT_NS = 4;
const ROW_NS = 1.5;
/** Linear code: one rule that does not match. */
export const LINEAR_RULE_NS = 0.8;

/** What a dependent load costs more when it goes to one of `bytes` bytes: caches of about 32 KiB and 1 MiB, then the third. */
export function missNs(bytes: number): number {
  return bytes <= 1 << 15 ? 0 : bytes <= 1 << 20 ? 1.5 : Math.min(30, 4 + 5 * Math.log2(bytes / (1 << 20)));
}

export function treeCost(tree: CutTree): Cost {
  const bytes = tree.slots * SLOT_BYTES;
  // The upper half of the path stays in the nearest cache.
  const misses = missNs(bytes) * (1 + tree.meanDepth / 2);
  return { nanoseconds: ENTER_NS + tree.meanDepth * SLOT_NS + (1 + tree.meanLeaf / 2) * ROW_NS + misses, bytes };
}
