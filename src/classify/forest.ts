/**
 * Several cut trees instead of one. A row that is wide where the others are narrow would be copied into most leaves, so
 * rows are first parted by shape: wide or not in each of the two dimensions with the most different ends. Then trees are
 * joined again wherever that makes look-ups cheaper: one tree of everything is best when it is not too large.
 */
import type { RecordTable } from './lanes.ts';
import { type Part, treePart } from './part.ts';
import { countBelow, partsCost } from './parts-cost.ts';
import type { Rows } from './rows.ts';
import { SLOT_ROWS } from './slots.ts';

/** A row is wide in a dimension when more than this share of all ends lies in it. */
const WIDE = 1 / 24;
/** Slots for each row that a tree may take, records included, beside MAY_GROW. */
const SLOTS_PER_ROW = 14;
/** Slots that a joined tree may have beyond twice as many as its parts. */
const MAY_GROW = 16384;
/** Rows that two parts may have together to be joined without a trial. */
const TRIAL_ROWS = 8192;
/** Ends looked at to tell wide from narrow. */
const SAMPLE = 4096;

/** Trees of the rows `list` (ascending), parted by shape and not joined: quick to build, for look-ups that are rare. */
export function buildApartOnly(rows: Rows, records: RecordTable, list: Uint32Array): readonly Part[] {
  return buildApart(rows, records, list, dividedDimensions(rows, list), 2);
}

/** Trees of the rows `list` (ascending); joined only where they stay within `mostSlots`. */
export function buildForest(
  rows: Rows,
  records: RecordTable,
  list: Uint32Array,
  mostSlots: number = Number.POSITIVE_INFINITY,
): readonly Part[] {
  let parts: readonly Part[] = buildApart(rows, records, list, dividedDimensions(rows, list), 2);
  // The smallest first: it is the quickest to try, and a walk of its own is worth least.
  for (let joined: readonly Part[] | undefined = parts; joined !== undefined; ) {
    parts = joined;
    joined = joinOnce(rows, records, parts, list.length, mostSlots);
  }
  return parts;
}

/** The parts with two of them joined, if some pair makes look-ups cheaper. */
function joinOnce(
  rows: Rows,
  records: RecordTable,
  parts: readonly Part[],
  total: number,
  mostSlots: number,
): Part[] | undefined {
  const slots = parts.reduce((sum, part) => sum + part.slots, 0);
  const now = partsCost(parts, total).nanoseconds;
  const order = [...parts].sort((a, b) => a.list.length - b.list.length);
  for (let a = 0; a < order.length; a++) {
    let best: Part[] | undefined;
    let least = now;
    for (let b = a + 1; b < order.length; b++) {
      const [one, two] = [order[a]!, order[b]!];
      if (!worthTrying(rows, records, one.list, two.list)) continue;
      const apart = one.slots + two.slots;
      const limit = Math.min(2 * apart + MAY_GROW, mostSlots - slots + apart);
      const joined = treePart(rows, records, mergeLists(one.list, two.list), limit);
      if (joined === undefined) continue;
      const next = [...order.filter((part) => part !== one && part !== two), joined];
      const cost = partsCost(next, total).nanoseconds;
      if (cost >= least) continue;
      best = next;
      least = cost;
    }
    if (best !== undefined) return best;
  }
  return undefined;
}

/** Large parts are joined on trial: every so manieth row of both shows whether they get in each other's way. */
function worthTrying(rows: Rows, records: RecordTable, one: Uint32Array, two: Uint32Array): boolean {
  const step = Math.floor((one.length + two.length) / TRIAL_ROWS);
  if (step <= 1) return true;
  const lists = [one, two].map((list) => list.filter((_row, i) => i % step === 0));
  const parts = lists.map((list) => treePart(rows, records, list));
  if (!parts.every((part) => part !== undefined)) return false;
  const slots = parts.reduce((sum, part) => sum + part.slots, 0);
  const joined = treePart(rows, records, mergeLists(lists[0]!, lists[1]!), 2 * slots + MAY_GROW / step);
  const apart = parts.reduce((sum, part) => sum + part.cost.nanoseconds, 0);
  return joined !== undefined && joined.cost.nanoseconds < apart;
}

function mergeLists(a: Uint32Array, b: Uint32Array): Uint32Array {
  const out = new Uint32Array(a.length + b.length);
  for (let i = 0, j = 0, at = 0; at < out.length; at++) {
    out[at] = j >= b.length || (i < a.length && a[i]! < b[j]!) ? a[i++]! : b[j++]!;
  }
  return out;
}

/** A dimension with the distinct ends of its rows. */
interface Divided {
  readonly dimension: number;
  readonly ends: Uint32Array;
}

/** Dimensions in which rows differ, the most divided first. */
function dividedDimensions(rows: Rows, list: Uint32Array): readonly Divided[] {
  return Array.from(rows.max, (_, dimension) => ({ dimension, ends: sampleEnds(rows, list, dimension) }))
    .filter(({ ends }) => ends.length > 0)
    .sort((a, b) => b.ends.length - a.ends.length);
}

/**
 * Trees of the rows parted by shape in the first `count` dimensions. What is still copied too often is parted by the next dimension, and
 * when none is left becomes a tree of long leaves.
 */
function buildApart(
  rows: Rows,
  records: RecordTable,
  list: Uint32Array,
  divided: readonly Divided[],
  count: number,
): readonly Part[] {
  return partByShape(rows, list, divided.slice(0, count)).flatMap((one) => {
    const tree = treePart(rows, records, one, one.length * SLOTS_PER_ROW + MAY_GROW);
    if (tree !== undefined) return [tree];
    if (divided.length > count) return buildApart(rows, records, one, divided.slice(count), 1);
    return [longLeaves(rows, records, one)];
  });
}

function longLeaves(rows: Rows, records: RecordTable, list: Uint32Array): Part {
  for (let leafRows = 4 * SLOT_ROWS; ; leafRows *= 4) {
    const tree = treePart(rows, records, list, list.length * SLOTS_PER_ROW + MAY_GROW, leafRows);
    if (tree !== undefined) return tree;
  }
}

/** Lists of the rows that are wide in the same of the dimensions. */
function partByShape(rows: Rows, list: Uint32Array, divided: readonly Divided[]): readonly Uint32Array[] {
  const shape = new Uint8Array(list.length);
  divided.forEach(({ dimension, ends }, bit) => {
    const lo = rows.lo[dimension]!;
    const hi = rows.hi[dimension]!;
    const many = ends.length * WIDE + 2;
    for (let i = 0; i < list.length; i++) {
      const row = list[i]!;
      if (countBelow(ends, hi[row]!) - countBelow(ends, lo[row]!) > many) shape[i] = shape[i]! | (1 << bit);
    }
  });
  return Array.from({ length: 1 << divided.length }, (_, which) => list.filter((_row, i) => shape[i] === which)).filter(
    (part) => part.length > 0,
  );
}

/** Distinct ends of a sample of the rows, ascending. */
function sampleEnds(rows: Rows, list: Uint32Array, d: number): Uint32Array {
  const count = Math.min(list.length, SAMPLE);
  const out = new Uint32Array(2 * count);
  let used = 0;
  for (let i = 0; i < count; i++) {
    const row = list[Math.floor((i * list.length) / count)]!;
    if (rows.lo[d]![row]! > 0) out[used++] = rows.lo[d]![row]!;
    if (rows.hi[d]![row]! < rows.max[d]!) out[used++] = rows.hi[d]![row]!;
  }
  const sorted = out.subarray(0, used).sort();
  let distinct = 0;
  for (let i = 0; i < used; i++) if (i === 0 || sorted[i] !== sorted[distinct - 1]) sorted[distinct++] = sorted[i]!;
  return sorted.subarray(0, distinct);
}
