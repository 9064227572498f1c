/** What look-ups cost, in nanoseconds of one machine: only to compare structures with each other. */
import type { CutTree } from './cut-tree.ts';
import { SLOT_BYTES } from './slots.ts';

export interface Cost {
  /** Mean of a look-up. */
  readonly nanoseconds: number;
  readonly bytes: number;
}

/** Entering a structure and leaving it: jumps that the predictor gets wrong every other time. */
const ENTER_NS = 6;
/** One inner slot in the first-level cache, and one row compared. */
const SLOT_NS = 4;
const ROW_NS = 1.5;
/** Linear code: one rule that does not match. */
const LINEAR_RULE_NS = 0.8;
/** Preparing the key. */
export const KEY_NS = 3;

/** What a dependent load costs more when it goes to one of `bytes` bytes: caches of about 32 KiB and 1 MiB, then the third. */
function missNs(bytes: number): number {
  return bytes <= 1 << 15 ? 0 : bytes <= 1 << 20 ? 1.5 : Math.min(30, 4 + 5 * Math.log2(bytes / (1 << 20)));
}

type Paths = Pick<CutTree, 'meanDepth' | 'meanLeaf'>;

function leafNs(paths: Paths): number {
  return (1 + paths.meanLeaf / 2) * ROW_NS;
}

export function treeCost(tree: Paths & { readonly slots: number }): Cost {
  const bytes = tree.slots * SLOT_BYTES;
  // The upper half of the path stays in the nearest cache.
  const misses = missNs(bytes) * (1 + tree.meanDepth / 2);
  return { nanoseconds: ENTER_NS + tree.meanDepth * SLOT_NS + leafNs(tree) + misses, bytes };
}

/** Buckets that are trees: the bucket's slot and the records are two loads that nothing has brought near. */
export function hashCost(tree: Paths, dimensions: number, slots: number): Cost {
  const bytes = slots * SLOT_BYTES;
  const hashing = 3 + dimensions;
  const misses = missNs(bytes) * (2 + tree.meanDepth);
  return { nanoseconds: ENTER_NS + hashing + tree.meanDepth * SLOT_NS + leafNs(tree) + misses, bytes };
}

/** Rules one after the other, each as likely as the other: half of them are passed. */
export function linearCost(rules: number): Cost {
  // Beyond some thousand rules the code no longer fits the caches and predictors.
  const each = rules > 4000 ? 4 : LINEAR_RULE_NS;
  return { nanoseconds: 2 + (rules / 2) * each, bytes: 0 };
}
