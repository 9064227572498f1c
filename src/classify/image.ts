/**
 * The memory of one run, as a program reads it: one region of bytes, the value of a one-element array map.
 *
 *         0   u32 active table, 0 .. TABLES - 1; read once for a look-up
 *        64   TABLES tables of 64 part descriptors, u64 each: { u32 root or first bucket, u32 number of slots }; 0 slots: no part
 *             TABLES tables of 64 first orders, u32 each: no row of the part has a smaller order
 *             payload: rowCapacity x 16 bytes { u32 order, u32 counter offset, u32 action, u32 parameter (shared-code.ts) }
 *    heap     slots of 32 bytes (slots.ts); all numbers of slots count from the heap's first slot, in parts too: a change copies
 *             the slots on its path up to a new root, and whatever it did not touch stays where it is (live/)
 *    padding  1 KiB: records of the last slot may be read beyond it
 *
 * Rows have ids: leaves hold ids, ascending by the order of their rows, and the payload says what a row is. Of all rows that match, the one with
 * the smallest order is the answer. A part whose first order is greater than the best order so far is not entered.
 * The program reads a descriptor with one load. It checks every slot only against the end of the heap: that numbers stay inside
 * their part is up to who writes. A change writes free memory and a table that no reader can still have, then `active`: with
 * several tables successive changes need not wait for readers. In a leaf a row that matches but is not before the best so far does not end
 * the leaf: its order may be NO_ORDER, for a row that was taken away.
 *
 * Which part stands at which place is fixed when the program is made (RunShape of shape.ts): a place whose part begins at a hash of the key,
 * or belongs to a guard, keeps its meaning. An id may be given to another row only after every program that could have read it has ended.
 */
import type { Part } from './part.ts';
import { relocateTree } from './relocate.ts';
import { SLOT_BYTES, SLOT_WORDS } from './slots.ts';

/** Places for parts in a table. */
export const PART_PLACES = 64;
/** Tables, a power of two. */
export const TABLES = 16;
/** Byte offsets in a region, and bytes of its pieces. */
export const REGION = {
  active: 0,
  descriptors: 64,
  descriptorBytes: 8,
  /** Bytes between two tables of descriptors. */
  descriptorTable: PART_PLACES * 8,
  firstOrders: 64 + TABLES * PART_PLACES * 8,
  /** Bytes between two tables of first orders. */
  firstOrderTable: PART_PLACES * 4,
  payload: 64 + TABLES * PART_PLACES * 12,
  rowBytes: 16,
  padding: 1024,
} as const;
/** Where the words of a payload row lie, in bytes. */
export const PAYLOAD = { order: 0, counter: 4, action: 8, parameter: 12 } as const;

/** Orders are smaller; it stands for "nothing found". */
export const NO_ORDER = 0xffffffff;

export interface RegionLayout {
  readonly rowCapacity: number;
  readonly heapSlots: number;
  /** Byte offset of the heap. */
  readonly heap: number;
  readonly bytes: number;
}

export function regionLayout(rowCapacity: number, heapSlots: number): RegionLayout {
  const heap = align(REGION.payload + rowCapacity * REGION.rowBytes, 64);
  return Object.freeze({
    rowCapacity,
    heapSlots,
    heap,
    bytes: align(heap + heapSlots * SLOT_BYTES + REGION.padding, 64),
  });
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/** A part at its place. */
export interface PlacedPart {
  readonly place: number;
  readonly part: Part;
}

/** Rows by id: what the payload says of each. */
export interface Payload {
  readonly count: number;
  readonly order: Uint32Array;
  /** Byte offset of the rule's counter from a CPU's first. */
  readonly counter: Uint32Array;
  /** Number of the action (RunShape.actions). */
  readonly action: Uint32Array;
  /** What of the rule its code does not say (shared-code.ts); 0 without it. */
  readonly parameter?: Uint32Array;
}

/**
 * The region as it is before any change: table 0 active, the parts one behind the other from the heap's first slot on.
 * @throws RangeError when rows, parts or slots do not fit
 */
export function encodeRegion(
  layout: RegionLayout,
  parts: readonly PlacedPart[],
  payload: Payload,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(layout.bytes);
  const words = new Uint32Array(out.buffer);
  if (payload.count > layout.rowCapacity) throw new RangeError('more rows than the payload has room for');
  for (let row = 0, at = REGION.payload / 4; row < payload.count; row++, at += REGION.rowBytes / 4) {
    words[at] = payload.order[row]!;
    words[at + 1] = payload.counter[row]!;
    words[at + 2] = payload.action[row]!;
    if (payload.parameter !== undefined) words[at + 3] = payload.parameter[row]!;
  }
  for (let place = 0; place < PART_PLACES; place++) words[REGION.firstOrders / 4 + place] = NO_ORDER;
  let first = 0;
  for (const { place, part } of parts) {
    if (place >= PART_PLACES) throw new RangeError('more parts than places');
    if (first + part.slots > layout.heapSlots) throw new RangeError('more slots than the heap has room for');
    words[REGION.descriptors / 4 + 2 * place] = first;
    words[REGION.descriptors / 4 + 2 * place + 1] = part.slots;
    words[REGION.firstOrders / 4 + place] = part.list.length === 0 ? NO_ORDER : payload.order[part.list[0]!]!;
    words.set(part.words.subarray(0, part.slots * SLOT_WORDS), layout.heap / 4 + first * SLOT_WORDS);
    const roots = part.hash === undefined ? 1 : 1 << part.hash.bits;
    for (let root = 0; root < roots; root++) relocateTree(words, root, first, layout.heap / SLOT_BYTES + first);
    first += part.slots;
  }
  return out;
}
