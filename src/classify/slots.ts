/**
 * The memory all structures share: an array of slots of eight u32 words (32 bytes, half a cache line).
 *
 *     inner slot   word 0: first child << 7 | dimension << 2        words 1..7: ascending thresholds, unused ones 0xffffffff
 *                  next slot = first child + number of thresholds that the key's value exceeds
 *     leaf slot    word 0: 1, or 3 when the next slot belongs to it too     words 1..7: ascending rows, unused ones 0xffffffff
 *
 * The children of a slot lie side by side. A leaf holds every row that can be the answer in its part of the space, so
 * the first of them that contains the key (see rowMatches) is the answer.
 */

export const SLOT_WORDS = 8;
export const SLOT_ROWS = 7;
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

/** Writes one leaf slot with rows list[from..to), at most SLOT_ROWS. */
export function writeLeafSlot(
  buffer: SlotBuffer,
  slot: number,
  list: Uint32Array,
  from: number,
  to: number,
  continues: boolean,
): void {
  const at = slot * SLOT_WORDS;
  const { words } = buffer;
  words[at] = LEAF | (continues ? LEAF_CONTINUES : 0);
  for (let i = 0; i < SLOT_ROWS; i++) words[at + 1 + i] = from + i < to ? list[from + i]! : NOTHING;
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
