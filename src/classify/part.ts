/**
 * A part of a classifier: some of the rows, in slots of their own. References between slots count from the part's beginning,
 * so a part may lie anywhere and can be replaced without touching the others.
 */
import { type Cost, hashCost, treeCost } from './cost.ts';
import { buildCutTree, CUT_TREE_LIMITS, type CutTree } from './cut-tree.ts';
import { bucketOf, type HashSpec, planHash } from './hash.ts';
import type { RecordTable } from './lanes.ts';
import type { Rows } from './rows.ts';
import { NOTHING, type SlotBuffer, slotBuffer, takeSlots } from './slots.ts';

export interface Part {
  /** Its rows, ascending. */
  readonly list: Uint32Array;
  readonly firstRow: number;
  /** Slots; only the first `slots` are used. Slot 0 is the root, or bucket 0 of the hash. */
  readonly words: Uint32Array;
  readonly slots: number;
  /** A look-up begins at slot 0, or at the slot that the hash of the key names. */
  readonly hash?: HashSpec;
  /** Inner slots on the longest path. */
  readonly depth: number;
  /** Slots of the longest leaf. */
  readonly longestLeaf: number;
  readonly meanDepth: number;
  readonly meanLeaf: number;
  readonly cost: Cost;
}

/** One cut tree of the rows; lists up to `leafRows` are not cut. Undefined beyond `maxSlots`. */
export function treePart(
  rows: Rows,
  records: RecordTable,
  list: Uint32Array,
  maxSlots: number = CUT_TREE_LIMITS.maxSlots,
  leafRows: number = CUT_TREE_LIMITS.leafRows,
): Part | undefined {
  const buffer = slotBuffer(Math.max(16, list.length * 2));
  const root = takeSlots(buffer, 1);
  const tree = buildCutTree(rows, records, list, buffer, root, { ...CUT_TREE_LIMITS, maxSlots, leafRows });
  return tree === undefined ? undefined : finishPart(list, buffer, tree, treeCost(tree));
}

/**
 * Buckets by the hash of the dimensions in which all the rows have one value. Each bucket is a tree, nearly always a
 * leaf. Undefined when the buckets are so uneven that a tree of everything is as good.
 */
export function hashPart(
  rows: Rows,
  records: RecordTable,
  list: Uint32Array,
  dimensions: readonly number[],
): Part | undefined {
  const hash = planHash(dimensions, list.length);
  const buckets = 1 << hash.bits;
  // Counting sort: the rows of a bucket stay in order.
  const bucket = new Uint32Array(list.length);
  const starts = new Uint32Array(buckets + 1);
  for (let i = 0; i < list.length; i++) {
    const b = bucketOf(hash, rows.lo, list[i]!);
    bucket[i] = b;
    starts[b + 1]!++;
  }
  let crowded = 0;
  for (let b = 0; b < buckets; b++) {
    if (starts[b + 1]! > MANY_IN_BUCKET) crowded += starts[b + 1]!;
    starts[b + 1]! += starts[b]!;
  }
  if (crowded > list.length / 4) return undefined;
  const next = starts.slice();
  const sorted = new Uint32Array(list.length);
  for (let i = 0; i < list.length; i++) sorted[next[bucket[i]!]!++] = list[i]!;
  const buffer = slotBuffer(buckets * 2 + list.length);
  takeSlots(buffer, buckets);
  const sums = { depth: 0, longestLeaf: 1, meanDepth: 0, meanLeaf: 0 };
  for (let b = 0; b < buckets; b++) {
    const own = sorted.subarray(starts[b]!, starts[b + 1]!);
    const tree = buildCutTree(rows, records, own, buffer, b);
    if (tree === undefined) return undefined;
    sums.depth = Math.max(sums.depth, tree.depth);
    sums.longestLeaf = Math.max(sums.longestLeaf, tree.longestLeaf);
    sums.meanDepth += (tree.meanDepth * own.length) / list.length;
    sums.meanLeaf += (tree.meanLeaf * own.length) / list.length;
  }
  const part = finishPart(list, buffer, sums, hashCost(sums, dimensions.length, buffer.used));
  return { ...part, hash };
}

/** Rows in one bucket beyond which it counts as crowded. */
const MANY_IN_BUCKET = 24;

type Shape = Pick<CutTree, 'depth' | 'longestLeaf' | 'meanDepth' | 'meanLeaf'>;

function finishPart(list: Uint32Array, buffer: SlotBuffer, shape: Shape, cost: Cost): Part {
  const { depth, longestLeaf, meanDepth, meanLeaf } = shape;
  return {
    list,
    firstRow: list[0] ?? NOTHING,
    words: buffer.words,
    slots: buffer.used,
    depth,
    longestLeaf,
    meanDepth,
    meanLeaf,
    cost,
  };
}
