/**
 * Cut trees: the space is cut into up to eight parts at a time along one dimension until a part has so few rows that they can
 * be compared one by one. Within a part, what stands behind a final row that covers the whole part is dead and left out.
 */
import { emptyCut, findCut, type Region } from './cut.ts';
import type { RecordTable } from './lanes.ts';
import type { Rows } from './rows.ts';
import { SLOT_ROWS, type SlotBuffer, takeSlots, writeInnerSlot, writeLeafSlot } from './slots.ts';

export interface CutTree {
  /** Inner slots on the longest path. */
  readonly depth: number;
  /** Slots of the longest leaf. */
  readonly longestLeaf: number;
  /** Slots that it takes, root included. */
  readonly slots: number;
  /** Rows in all leaves together: how often rows were copied. */
  readonly leafRows: number;
  /** Mean inner slots to a leaf and mean rows in it, where each row is asked for equally often. */
  readonly meanDepth: number;
  readonly meanLeaf: number;
}

export interface CutTreeLimits {
  /** Give up beyond this many slots. */
  readonly maxSlots: number;
  /** Inner slots on a path at most; what is left then becomes one leaf. */
  readonly maxDepth: number;
  /** Lists up to this length are not cut. */
  readonly leafRows: number;
}

export const CUT_TREE_LIMITS: CutTreeLimits = { maxSlots: 1 << 22, maxDepth: 16, leafRows: SLOT_ROWS };

/** Lists up to this length may become a leaf of several slots when a cut would copy too much. */
const LONG_LEAF = 4 * SLOT_ROWS;

/**
 * Builds a tree of the given rows (ascending) below slot `root`, which has been taken already, for keys in `within` (default: all). Undefined
 * when it would break the limits.
 */
export function buildCutTree(
  rows: Rows,
  records: RecordTable,
  list: Uint32Array,
  buffer: SlotBuffer,
  root: number,
  limits: CutTreeLimits = CUT_TREE_LIMITS,
  within: Region = { lo: new Uint32Array(rows.max.length), hi: rows.max },
): CutTree | undefined {
  if (list.length <= SLOT_ROWS) {
    const before = buffer.used;
    writeLeafSlot(buffer, root, list, 0, list.length, false, records);
    const slots = buffer.used - before + 1;
    return { depth: 0, longestLeaf: 1, slots, leafRows: list.length, meanDepth: 0, meanLeaf: list.length };
  }
  const region: Region = { lo: within.lo.slice(), hi: within.hi.slice() };
  const firstSlot = buffer.used;
  // The lists of all open levels lie one behind the other in one stack.
  let stack = new Uint32Array(Math.max(64, list.length * 4));
  stack.set(list);
  const cuts = Array.from({ length: limits.maxDepth + 1 }, emptyCut);
  const stats = { depth: 0, longestLeaf: 1, leafRows: 0, weight: 0, depthSum: 0, leafSum: 0 };
  let failed = false;

  const leaf = (slot: number, from: number, to: number, depth: number): void => {
    const length = to - from;
    const extra = Math.max(0, Math.ceil(length / SLOT_ROWS) - 1);
    stats.longestLeaf = Math.max(stats.longestLeaf, extra + 1);
    stats.depth = Math.max(stats.depth, depth);
    stats.leafRows += length;
    stats.weight += length;
    stats.depthSum += length * depth;
    stats.leafSum += length * length;
    if (extra === 0) {
      writeLeafSlot(buffer, slot, stack, from, to, false, records);
      return;
    }
    // The slots of a long leaf have to lie side by side, so this one only leads to them.
    const first = takeSlots(buffer, extra + 1);
    writeInnerSlot(buffer, slot, 0, first, EMPTY, 0);
    for (let i = 0; i <= extra; i++) {
      const start = from + i * SLOT_ROWS;
      writeLeafSlot(buffer, first + i, stack, start, Math.min(to, start + SLOT_ROWS), i < extra, records);
    }
  };

  const build = (slot: number, from: number, end: number, depth: number): void => {
    if (failed || buffer.used - firstSlot > limits.maxSlots) {
      failed = true;
      return;
    }
    const to = dropDead(rows, stack, from, end, region);
    const length = to - from;
    if (length <= limits.leafRows || depth >= limits.maxDepth) {
      leaf(slot, from, to, depth);
      return;
    }
    const cut = cuts[depth]!;
    findCut(rows, stack, from, to, region, cut);
    const copies = cut.total / cut.sampled;
    if (cut.dimension < 0 || (length <= LONG_LEAF && copies > 3)) {
      leaf(slot, from, to, depth);
      return;
    }
    const first = takeSlots(buffer, cut.count + 1);
    writeInnerSlot(buffer, slot, cut.dimension, first, cut.thresholds, cut.count);
    const { dimension, count } = cut;
    const min = region.lo[dimension]!;
    const max = region.hi[dimension]!;
    const los = rows.lo[dimension]!;
    const his = rows.hi[dimension]!;
    for (let child = 0; child <= count; child++) {
      const low = child === 0 ? min : cut.thresholds[child - 1]! + 1;
      const high = child === count ? max : cut.thresholds[child]!;
      while (to + length > stack.length) {
        const larger = new Uint32Array(stack.length * 2);
        larger.set(stack);
        stack = larger;
      }
      let top = to;
      for (let i = from; i < to; i++) {
        const row = stack[i]!;
        if (los[row]! <= high && his[row]! >= low) stack[top++] = row;
      }
      region.lo[dimension] = low;
      region.hi[dimension] = high;
      build(first + child, to, top, depth + 1);
    }
    region.lo[dimension] = min;
    region.hi[dimension] = max;
  };

  build(root, 0, list.length, 0);
  if (failed) {
    buffer.used = firstSlot;
    return undefined;
  }
  return {
    depth: stats.depth + (stats.longestLeaf > 1 ? 1 : 0),
    longestLeaf: stats.longestLeaf,
    slots: buffer.used - firstSlot + 1,
    leafRows: stats.leafRows,
    meanDepth: stats.depthSum / Math.max(1, stats.weight),
    meanLeaf: stats.leafSum / Math.max(1, stats.weight),
  };
}

const EMPTY = new Uint32Array(0);

/** The end of the list without the rows behind the first final one that covers the region. */
export function dropDead(rows: Rows, list: Uint32Array, from: number, to: number, region: Region): number {
  const dimensions = rows.lo.length;
  for (let i = from; i < to; i++) {
    const row = list[i]!;
    if (rows.final[row] === 0) continue;
    let d = 0;
    while (d < dimensions && rows.lo[d]![row]! <= region.lo[d]! && rows.hi[d]![row]! >= region.hi[d]!) d++;
    if (d === dimensions) return i + 1;
  }
  return to;
}
