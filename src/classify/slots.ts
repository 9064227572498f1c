/**
 * The memory all structures share: an array of slots of eight u32 words (32 bytes, half a cache line).
 *
 *     inner slot   word 0: first child << 7 | dimension << 2        words 1..7: ascending thresholds, unused ones 0xffffffff
 *                  next slot = first child + number of thresholds that the key's value exceeds
 *     leaf slot    word 0: 1, or 3 when the next slot belongs to it too     word 1: slot where its records begin
 *                  words 2..7: ascending rows, unused ones 0xffffffff
 *     records      of a leaf slot's rows, one behind the other (see lanes.ts), up to the next whole slot
 *
 * The children of a slot lie side by side. A leaf holds every row that can be the answer in its part of the space, so
 * the first of them that contains the key is the answer. A record stands in every leaf that has its row: what a look-up reads
 * last lies side by side, and near the inner slots it came through, which is worth more in cache lines and pages than the
 * copies cost.
 */
import type { RecordTable } from './lanes.ts';

export const SLOT_WORDS = 8;
export const SLOT_BYTES = 32;
/** Rows of a leaf slot, and where they begin. */
export const SLOT_ROWS = 6;
export const FIRST_ROW_WORD = 2;
export const LEAF = 1;
export const LEAF_CONTINUES = 2;
export const NOTHING = 0xffffffff;
export const CHILD_SHIFT = 7;
export const DIMENSION_SHIFT = 2;
/** Dimensions that an inner slot can name. */
export const MAX_DIMENSIONS = 32;
/** Slots that an inner slot can name. */
export const MAX_SLOTS = 1 << 25;

/** Slots under construction. */
export interface SlotBuffer {
  words: Uint32Array;
  /** Slots in use. */
  used: number;
}

export function slotBuffer(expected = 256): SlotBuffer {
  return { words: new Uint32Array(expected * SLOT_WORDS), used: 0 };
}

/** Takes `count` slots side by side and returns the first. @throws RangeError beyond MAX_SLOTS */
export function takeSlots(buffer: SlotBuffer, count: number): number {
  const first = buffer.used;
  buffer.used += count;
  if (buffer.used > MAX_SLOTS) throw new RangeError('too many slots');
  if (buffer.used * SLOT_WORDS > buffer.words.length) {
    const words = new Uint32Array(Math.max(buffer.words.length * 2, buffer.used * SLOT_WORDS));
    words.set(buffer.words);
    buffer.words = words;
  }
  return first;
}

/** Slots that the records of `count` rows take. */
export function recordSlots(records: RecordTable, count: number): number {
  return Math.ceil((count * records.stride) / SLOT_WORDS);
}

/** Writes one leaf slot with rows list[from..to), at most SLOT_ROWS, and takes the slots for their records. */
export function writeLeafSlot(
  buffer: SlotBuffer,
  slot: number,
  list: Uint32Array,
  from: number,
  to: number,
  continues: boolean,
  records: RecordTable,
): void {
  const at = slot * SLOT_WORDS;
  const first = takeSlots(buffer, recordSlots(records, to - from));
  const { words } = buffer;
  words[at] = LEAF | (continues ? LEAF_CONTINUES : 0);
  words[at + 1] = first;
  for (let i = 0; i < SLOT_ROWS; i++) words[at + FIRST_ROW_WORD + i] = from + i < to ? list[from + i]! : NOTHING;
  const { stride } = records;
  for (let i = from, target = first * SLOT_WORDS; i < to; i++) {
    const source = list[i]! * stride;
    for (let w = 0; w < stride; w++) words[target++] = records.words[source + w]!;
  }
}

/** Writes an inner slot. */
export function writeInnerSlot(
  buffer: SlotBuffer,
  slot: number,
  dimension: number,
  firstChild: number,
  thresholds: Uint32Array,
  count: number,
): void {
  const at = slot * SLOT_WORDS;
  const { words } = buffer;
  words[at] = ((firstChild << CHILD_SHIFT) | (dimension << DIMENSION_SHIFT)) >>> 0;
  for (let i = 0; i < SLOT_WORDS - 1; i++) words[at + 1 + i] = i < count ? thresholds[i]! : NOTHING;
}
