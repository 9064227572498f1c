/** One change while it is being made: what is taken, written and no longer used. */
import { REGION } from '../image.ts';
import { SLOT_BYTES } from '../slots.ts';
import type { Write } from './change.ts';
import type { Heap } from './heap.ts';
import type { LiveRows } from './live-rows.ts';
import type { LiveLimits, TreeMemory } from './tree.ts';

export interface Transaction extends TreeMemory {
  /** Only one row of one rule changes: a single store may be enough. */
  readonly alone: boolean;
  /** Pairs of first slot and count, to be given back when no reader is left. */
  readonly freed: number[];
  /** Roots of whole trees that are given back then, slots of their own. */
  readonly dropped: number[];
  /** Rows whose ids may be used again then. */
  readonly rowsFreed: number[];
  /** A store that makes the whole change, instead of another table. */
  commit?: { readonly offset: number; readonly value: number; readonly place: number };
  /** Whether the slot was taken in this change: nobody has seen it. */
  isNew(slot: number): boolean;
  /** Bytes of the region outside of the heap were written. */
  wrote(offset: number, bytes: number): void;
  writes(): readonly Write[];
}

export interface TransactionBase {
  readonly region: Uint32Array;
  /** Byte offset of the heap. */
  readonly heapOffset: number;
  readonly heap: Heap;
  readonly words: Uint32Array;
  readonly rows: LiveRows;
  readonly limits: LiveLimits;
  /** By slot: the transaction that took it. */
  readonly takenIn: Uint32Array;
}

/** `number`: never the same twice. */
export function beginTransaction(base: TransactionBase, number: number, alone: boolean): Transaction {
  const { heap, heapOffset, region, takenIn } = base;
  const ranges: [offset: number, bytes: number][] = [];
  const freed: number[] = [];
  return {
    words: base.words,
    rows: base.rows,
    limits: base.limits,
    alone,
    freed,
    dropped: [],
    rowsFreed: [],
    take(count) {
      const first = heap.take(count);
      if (count > 0) ranges.push([heapOffset + first * SLOT_BYTES, count * SLOT_BYTES]);
      takenIn.fill(number, first, first + count);
      return first;
    },
    give(first, count) {
      // Nobody has seen what is of this change.
      if (takenIn[first] === number) heap.give(first, count);
      else if (count > 0) freed.push(first, count);
    },
    isNew: (slot) => takenIn[slot] === number,
    wrote(offset, bytes) {
      ranges.push([offset, bytes]);
    },
    writes() {
      ranges.sort((a, b) => a[0] - b[0]);
      const joined: [offset: number, bytes: number][] = [];
      for (const [offset, bytes] of ranges) {
        const before = joined.at(-1);
        if (before !== undefined && before[0] + before[1] >= offset) {
          before[1] = Math.max(before[1], offset + bytes - before[0]);
        } else joined.push([offset, bytes]);
      }
      return joined.map(([offset, bytes]) => ({
        offset,
        bytes: new Uint8Array(region.buffer, region.byteOffset + offset, bytes),
      }));
    },
  };
}

/** Byte offset of a row in the payload. */
export function payloadOffset(row: number): number {
  return REGION.payload + row * REGION.rowBytes;
}
