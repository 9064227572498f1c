/**
 * Comparing a key with a box without branches: several dimensions side by side in one u64, each lane with a guard bit above
 * it. With H the guard bits, a lane of
 *
 *     (K | H) - LO      keeps its guard bit when K >= LO, and
 *     (HI | H) - K      keeps its guard bit when K <= HI,
 *
 * and never borrows from its neighbour. All words have the same lanes, so the differences of all words are ANDed and looked
 * at once: the box contains the key when the result has all of H.
 */
import type { Rows } from './rows.ts';

export interface Lane {
  readonly word: number;
  /** Lowest bit. */
  readonly shift: number;
}

export interface LanePlan {
  /** u64 words of a key; a row's record has twice as many: LO, HI | H for each word. */
  readonly words: number;
  /** Where each dimension lies. */
  readonly lanes: readonly Lane[];
  /** The guard bits, the same in each word. */
  readonly guards: bigint;
  /** The largest values of a word's lanes together: HI of a lane that no dimension uses. */
  readonly full: bigint;
}

/** The lanes for dimensions with these largest values. */
export function planLanes(max: Uint32Array): LanePlan {
  const bits = Array.from(max, (value) => 32 - Math.clz32(value));
  const order = bits.map((_, d) => d).sort((a, b) => bits[b]! - bits[a]!);
  let words = 1;
  while (widthWith(order, bits, words) > 64) words++;
  const lanes: Lane[] = new Array(max.length);
  let shift = 0;
  let guards = 0n;
  let full = 0n;
  for (let i = 0; i < order.length; i += words) {
    for (let w = 0; w < words && i + w < order.length; w++) lanes[order[i + w]!] = { word: w, shift };
    const width = bits[order[i]!]!;
    full |= ((1n << BigInt(width)) - 1n) << BigInt(shift);
    guards |= 1n << BigInt(shift + width);
    shift += width + 1;
  }
  return Object.freeze({ words, lanes: Object.freeze(lanes), guards, full });
}

/** Dimensions of about the same width share a lane number, so a lane is as wide as the first of them. */
function widthWith(order: readonly number[], bits: readonly number[], words: number): number {
  let width = 0;
  for (let i = 0; i < order.length; i += words) width += bits[order[i]!]! + 1;
  return width;
}

/** The records of all rows: `stride` u32 words each, of every u64 the low half first. */
export interface RecordTable {
  readonly plan: LanePlan;
  readonly stride: number;
  readonly words: Uint32Array;
}

/** Bytes of one row's record. */
export function recordBytes(plan: LanePlan): number {
  return plan.words * 16;
}

export function encodeRecords(rows: Rows, plan: LanePlan = planLanes(rows.max)): RecordTable {
  const stride = plan.words * 4;
  const out = new Uint32Array(rows.count * stride);
  for (let d = 0; d < plan.lanes.length; d++) {
    const { word, shift } = plan.lanes[d]!;
    putColumn(out, rows.lo[d]!, stride, word * 4, shift);
    putColumn(out, rows.hi[d]!, stride, word * 4 + 2, shift);
  }
  for (let w = 0; w < plan.words; w++) {
    let rest = plan.guards | plan.full;
    for (let d = 0; d < plan.lanes.length; d++) {
      // Above a narrow dimension in a wide lane the key has zeros, so its own bound serves.
      if (plan.lanes[d]!.word === w) rest &= ~(laneFull(plan, d) << BigInt(plan.lanes[d]!.shift));
    }
    const low = Number(rest & 0xffffffffn);
    const high = Number(rest >> 32n);
    for (let at = w * 4 + 2; at < out.length; at += stride) {
      out[at] = out[at]! | low;
      out[at + 1] = out[at + 1]! | high;
    }
  }
  return { plan, stride, words: out };
}

/** All bits of the lane that dimension `d` lies in, at bit 0. */
function laneFull(plan: LanePlan, d: number): bigint {
  const { shift } = plan.lanes[d]!;
  const above = plan.guards >> BigInt(shift);
  // The lowest guard bit above the lane's start is its own.
  return (above & -above) - 1n;
}

function putColumn(out: Uint32Array, column: Uint32Array, stride: number, offset: number, shift: number): void {
  for (let row = 0, at = offset; row < column.length; row++, at += stride) {
    const value = column[row]!;
    if (shift < 32) out[at] = out[at]! | (value << shift);
    if (shift >= 32) out[at + 1] = out[at + 1]! | (value << (shift - 32));
    else if (shift > 0) out[at + 1] = out[at + 1]! | (value >>> (32 - shift));
  }
}

/** A key as the records see it: its u64 words. */
export function packKey(plan: LanePlan, key: Uint32Array): bigint[] {
  const words = new Array<bigint>(plan.words).fill(0n);
  plan.lanes.forEach(({ word, shift }, d) => {
    words[word]! |= BigInt(key[d]!) << BigInt(shift);
  });
  return words;
}

/** The comparison as generated code does it; the record begins at word `at`. */
export function recordContains(plan: LanePlan, records: Uint32Array, at: number, key: readonly bigint[]): boolean {
  const read = (i: number): bigint => (BigInt(records[at + i + 1]!) << 32n) | BigInt(records[at + i]!);
  let inside = plan.guards;
  for (let w = 0; w < plan.words; w++) {
    inside &= BigInt.asUintN(64, (key[w]! | plan.guards) - read(w * 4));
    inside &= BigInt.asUintN(64, read(w * 4 + 2) - key[w]!);
  }
  return inside === plan.guards;
}
