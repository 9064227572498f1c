/**
 * Rows that are looked at one after the other, in memory: for lists in which a packet meets so many rows that let it go on that beginning every
 * look-up anew would cost more than going through all of them once.
 *
 * All rows lie in one leaf of full slots, in order. The order of an entry is twice the number of its last row, and 2, so where a look-up goes on
 * is told by the order it goes on from: at slot (order >> 1) / SLOT_ROWS.
 */
import type { RecordTable } from './lanes.ts';
import type { Part } from './part.ts';
import { firstRowOf, type Rows, rowMatches } from './rows.ts';
import { SLOT_ROWS, slotBuffer, takeSlots, writeLeafSlot } from './slots.ts';

/** All rows up to `count` in one leaf. A look-up may begin behind the last of them: there is a slot for that, too. */
export function orderedPart(rows: Rows, records: RecordTable, count: number = rows.count): Part {
  const list = Uint32Array.from({ length: count }, (_, row) => row);
  const slots = Math.floor(count / SLOT_ROWS) + 1;
  const buffer = slotBuffer(slots * 3);
  takeSlots(buffer, slots);
  for (let slot = 0; slot < slots; slot++) {
    const from = slot * SLOT_ROWS;
    writeLeafSlot(buffer, slot, list, from, Math.min(count, from + SLOT_ROWS), slot + 1 < slots, records);
  }
  return {
    list,
    firstRow: 0,
    words: buffer.words,
    slots: buffer.used,
    depth: 0,
    longestLeaf: slots,
    meanDepth: 0,
    meanLeaf: rows.count,
    cost: { nanoseconds: rows.count * ROW_NS, bytes: buffer.used * 32 },
  };
}

/** The order of an entry in an ordered part, and of guards at it. */
export function orderedOrder(rows: Rows, entry: number): number {
  return 2 * firstRowOf(rows, entry + 1);
}
export function orderBefore(rows: Rows, entry: number): number {
  return 2 * firstRowOf(rows, entry) + 1;
}

/** A row compared; going through the look-up once more. */
const ROW_NS = 3;
const AGAIN_NS = 60;
/** Packets that are tried. */
const SAMPLES = 48;
/** So few rows are not worth counting. */
const LEAST_GOING_ON = 64;

/** Whether packets meet so many rows that let them go on that going through all rows is less work. */
export function orderedPays(rows: Rows): boolean {
  let goingOn = 0;
  for (const final of rows.final) goingOn += 1 - final;
  if (goingOn < LEAST_GOING_ON) return false;
  const key = new Uint32Array(rows.lo.length);
  let met = 0;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const of = Math.floor(((sample + 0.5) * rows.count) / SAMPLES);
    for (let d = 0; d < key.length; d++) key[d] = rows.lo[d]![of]!;
    for (let row = 0; row < rows.count; row++) {
      if (!rowMatches(rows, row, key)) continue;
      if (rows.final[row] === 1) break;
      met++;
    }
  }
  const mean = met / SAMPLES;
  // Every look-up anew compares what lies before the row it goes on from: half of what it meets.
  return mean * (AGAIN_NS + (mean * ROW_NS) / 2) > rows.count * ROW_NS + mean * (AGAIN_NS / 2);
}
