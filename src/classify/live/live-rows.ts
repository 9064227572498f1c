/** Rows with stable ids: the columns and records of all rows there are, with room for more. */
import { encodeRecords, type LanePlan, planLanes, type RecordTable } from '../lanes.ts';
import type { Rows } from '../rows.ts';

/** For each dimension the smallest and the largest value. */
export type Box = readonly (readonly [lo: number, hi: number])[];

export interface LiveRows extends Rows {
  readonly lo: readonly Uint32Array[];
  readonly hi: readonly Uint32Array[];
  readonly capacity: number;
  readonly plan: LanePlan;
  readonly records: RecordTable;
  /** Rule of each row. */
  readonly entry: Uint32Array;
  /** Number of each row in the order of rules: the rule's. */
  readonly order: Uint32Array;
  /** 1: the row is part of the list. */
  readonly alive: Uint8Array;
  /** An id for a box; its columns and its record are written. -1: no room. */
  take(box: Box, rule: number, order: number, final: boolean): number;
  /** The id may be used again. */
  give(row: number): void;
}

/** @throws RangeError when they are more than `capacity` */
export function createLiveRows(initial: Rows, orderOf: (row: number) => number, capacity: number): LiveRows {
  if (initial.count > capacity) throw new RangeError('more rows than capacity');
  const dimensions = initial.max.length;
  const lo = initial.lo.map((column) => enlarge(column, capacity));
  const hi = initial.hi.map((column) => enlarge(column, capacity));
  const entry = enlarge(initial.entry, capacity);
  const order = new Uint32Array(capacity);
  const final = new Uint8Array(capacity);
  const alive = new Uint8Array(capacity);
  final.set(initial.final);
  for (let row = 0; row < initial.count; row++) {
    order[row] = orderOf(row);
    alive[row] = 1;
  }
  const plan = planLanes(initial.max);
  const encoded = encodeRecords(initial, plan);
  const records: RecordTable = {
    plan,
    stride: encoded.stride,
    words: enlarge(encoded.words, capacity * encoded.stride),
  };
  const free: number[] = [];
  let count = initial.count;
  const one = { lo: lo.map(() => new Uint32Array(1)), hi: hi.map(() => new Uint32Array(1)) };
  const max = initial.max;
  return {
    get count() {
      return count;
    },
    max,
    lo,
    hi,
    entry,
    final,
    order,
    alive,
    capacity,
    plan,
    records,
    take(box, rule, number, ends) {
      const row = free.pop() ?? (count < capacity ? count++ : -1);
      if (row < 0) return -1;
      for (let d = 0; d < dimensions; d++) {
        const [low, high] = box[d]!;
        lo[d]![row] = low;
        hi[d]![row] = high;
        one.lo[d]![0] = low;
        one.hi[d]![0] = high;
      }
      const record = encodeRecords({ ...one, count: 1, max, entry, final }, plan);
      records.words.set(record.words, row * records.stride);
      entry[row] = rule;
      order[row] = number;
      final[row] = ends ? 1 : 0;
      alive[row] = 1;
      return row;
    },
    give(row) {
      free.push(row);
    },
  };
}

function enlarge(column: Uint32Array, length: number): Uint32Array {
  const out = new Uint32Array(length);
  out.set(column);
  return out;
}

/** The box of a row. */
export function boxOf(rows: Rows, row: number): Box {
  return rows.lo.map((column, d) => [column[row]!, rows.hi[d]![row]!]);
}
