/**
 * What the search structures are built from: boxes in typed arrays.
 *
 * An *entry* is one place of a first-match list. A *row* is one box of it: for every dimension one interval of u32 values.
 * An entry whose field may lie in several intervals has several rows. Rows stand in the order of their entries, so of two
 * matching rows the one with the smaller number wins, and a row number is all a look-up has to return.
 */

export interface Rows {
  readonly count: number;
  /** For each dimension its largest value; 0xffffffff for a whole word. */
  readonly max: Uint32Array;
  /** Per dimension, per row: smallest and largest value, both inclusive. */
  readonly lo: readonly Uint32Array[];
  readonly hi: readonly Uint32Array[];
  /** Entry of each row, ascending. */
  readonly entry: Uint32Array;
  /**
   * 1: nothing behind this row is asked any more once it matched. Only such rows hide later ones. 0 for entries after
   * which the list goes on (jumps, counting rules) or that have conditions outside of the box. The same for all rows of an entry.
   */
  readonly final: Uint8Array;
}

/** Collects rows; grows by doubling, no garbage per row. */
export interface RowsBuilder {
  /** Starts a row that contains everything; narrow it with `narrow` before the next one. Entries must not descend. */
  add(entry: number, final: boolean): void;
  /** Intersects dimension `dimension` of the last row with lo..hi. A row that has become empty is left out. */
  narrow(dimension: number, lo: number, hi: number): void;
  finish(): Rows;
}

/** A builder for rows over dimensions with these largest values. */
export function rowsBuilder(max: readonly number[], expected = 64): RowsBuilder {
  let capacity = Math.max(expected, 16);
  let count = 0;
  let lo = max.map(() => new Uint32Array(capacity));
  let hi = max.map(() => new Uint32Array(capacity));
  let entries = new Uint32Array(capacity);
  let finals = new Uint8Array(capacity);
  const grow = (): void => {
    capacity *= 2;
    lo = lo.map((old) => enlarge(old, capacity));
    hi = hi.map((old) => enlarge(old, capacity));
    entries = enlarge(entries, capacity);
    const bytes = new Uint8Array(capacity);
    bytes.set(finals);
    finals = bytes;
  };
  const dropEmpty = (): void => {
    if (count > 0 && max.some((_, d) => lo[d]![count - 1]! > hi[d]![count - 1]!)) count--;
  };
  return {
    add(entry, final) {
      dropEmpty();
      if (count > 0 && entry < entries[count - 1]!) throw new RangeError('entries must not descend');
      if (count === capacity) grow();
      for (let d = 0; d < max.length; d++) {
        lo[d]![count] = 0;
        hi[d]![count] = max[d]!;
      }
      entries[count] = entry;
      finals[count] = final ? 1 : 0;
      count++;
    },
    narrow(dimension, from, to) {
      const row = count - 1;
      const los = lo[dimension]!;
      const his = hi[dimension]!;
      if (from > los[row]!) los[row] = from;
      if (to < his[row]!) his[row] = to;
    },
    finish() {
      dropEmpty();
      return Object.freeze({
        count,
        max: Uint32Array.from(max),
        lo: lo.map((column) => column.subarray(0, count)),
        hi: hi.map((column) => column.subarray(0, count)),
        entry: entries.subarray(0, count),
        final: finals.subarray(0, count),
      });
    },
  };
}

function enlarge(old: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(capacity);
  larger.set(old);
  return larger;
}

/** The rows of several lists one behind the other, over the same dimensions. Entries may begin anew with each list. */
export function joinRows(lists: readonly Rows[]): Rows {
  if (lists.length === 1) return lists[0]!;
  const count = lists.reduce((sum, rows) => sum + rows.count, 0);
  const join = (column: (rows: Rows) => Uint32Array): Uint32Array => {
    const out = new Uint32Array(count);
    let at = 0;
    for (const rows of lists) {
      out.set(column(rows), at);
      at += rows.count;
    }
    return out;
  };
  const { max } = lists[0]!;
  const dimensions = Array.from(max, (_, d) => d);
  return Object.freeze({
    count,
    max,
    lo: dimensions.map((d) => join((rows) => rows.lo[d]!)),
    hi: dimensions.map((d) => join((rows) => rows.hi[d]!)),
    entry: join(({ entry }) => entry),
    final: Uint8Array.from(join(({ final }) => Uint32Array.from(final))),
  });
}

/** True when the key (one u32 for each dimension) lies in the row's box. */
export function rowMatches(rows: Rows, row: number, key: Uint32Array): boolean {
  for (let d = 0; d < rows.lo.length; d++) {
    const value = key[d]!;
    if (value < rows.lo[d]![row]! || value > rows.hi[d]![row]!) return false;
  }
  return true;
}

/** The reference: the first row from `from` on that contains the key, or -1. */
export function linearLookup(rows: Rows, key: Uint32Array, from = 0): number {
  for (let row = from; row < rows.count; row++) if (rowMatches(rows, row, key)) return row;
  return -1;
}

/** The first row of an entry, or of the next entry that has one: where a look-up "from this entry on" begins. */
export function firstRowOf(rows: Rows, entry: number): number {
  let low = 0;
  let high = rows.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rows.entry[middle]! < entry) low = middle + 1;
    else high = middle;
  }
  return low;
}
