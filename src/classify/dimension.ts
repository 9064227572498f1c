/**
 * Dimensions: what a look-up knows of a packet, each a value of at most 32 bits.
 *
 *     whole    the field (under its mask), when it has at most 32 bits
 *     word     32 bits of a wider field; word 0 is the topmost. A prefix is a box over the words
 *     rank     how many of a few boundaries the field exceeds: for fields about which few questions are asked
 *
 * A mask whose ones are the upper bits is no mask: the values under it are intervals of the field.
 */
import { fieldMax } from '../policy/expr.ts';
import { FIELDS, type FieldName } from '../policy/fields.ts';
import type { Interval, Test } from '../policy/ir.ts';

export interface Dimension {
  readonly field: FieldName;
  /** Read `field & mask`. */
  readonly mask?: bigint;
  readonly part:
    | { readonly kind: 'whole' }
    | { readonly kind: 'word'; readonly word: number }
    /** Ascending; the value is the number of boundaries that the field is greater than. */
    | { readonly kind: 'rank'; readonly boundaries: readonly bigint[] };
  /** Largest value. */
  readonly max: number;
}

/** All that is asked about one field under one mask, and the dimensions that answer it. */
export interface Axis {
  readonly field: FieldName;
  readonly mask?: bigint;
  /** Number of the first dimension; wide fields have several. */
  readonly first: number;
  readonly dimensions: readonly Dimension[];
}

/** More boundaries than this are not worth counting: narrow fields, wide fields. */
const FEW = { narrow: 2, wide: 6 } as const;

const WORD_MAX = 0xffffffff;

/** A test without a mask where that is possible. */
export function unmask(test: Test): Test {
  const { mask } = test;
  if (mask === undefined) return test;
  const low = fieldMax(test.field) ^ mask;
  // Low bits only: adding one carries through all of them.
  if ((low & (low + 1n)) !== 0n) return test;
  const ranges = test.ranges.map(({ min, max }) => ({ min, max: max | low }));
  return { kind: 'test', field: test.field, ranges };
}

/** Words of a wide field, from the top, that an interval does not leave open: 2 for the prefixes up to /64 of an IPv6 address. */
export function wordsUsed(field: FieldName, range: Interval): number {
  let words = Math.ceil(FIELDS[field].bits / 32);
  const open = 0xffffffffn;
  for (let below = 0n; words > 1; words--, below += 32n) {
    if (((range.min >> below) & open) !== 0n || ((range.max >> below) & open) !== open) break;
  }
  return words;
}

/**
 * The dimensions for a field, given every boundary (a value v between v and v + 1) that is asked about, and how many words of a
 * wide field (see wordsUsed).
 */
export function planAxis(
  field: FieldName,
  mask: bigint | undefined,
  boundaries: readonly bigint[],
  first: number,
  words = Math.ceil(FIELDS[field].bits / 32),
): Axis {
  const { bits } = FIELDS[field];
  const about = mask === undefined ? { field } : { field, mask };
  const wide = bits > 32;
  if (boundaries.length <= (wide ? FEW.wide : FEW.narrow)) {
    const dimension: Dimension = { ...about, part: { kind: 'rank', boundaries }, max: boundaries.length };
    return { ...about, first, dimensions: [dimension] };
  }
  if (!wide) {
    return {
      ...about,
      first,
      dimensions: [{ ...about, part: { kind: 'whole' }, max: Number(mask ?? fieldMax(field)) }],
    };
  }
  const all = Math.ceil(bits / 32);
  const dimensions = Array.from({ length: words }, (_, word): Dimension => {
    const max = word === 0 ? Number(fieldMax(field) >> BigInt(32 * (all - 1))) : WORD_MAX;
    return { ...about, part: { kind: 'word', word }, max };
  });
  return { ...about, first, dimensions };
}

/** The value of a dimension, from the value of its field. */
export function dimensionValue(dimension: Dimension, fieldValue: bigint): number {
  const value = dimension.mask === undefined ? fieldValue : fieldValue & dimension.mask;
  const { part } = dimension;
  switch (part.kind) {
    case 'whole':
      return Number(value);
    case 'word': {
      const below = Math.ceil(FIELDS[dimension.field].bits / 32) - 1 - part.word;
      return Number((value >> BigInt(32 * below)) & 0xffffffffn);
    }
    case 'rank': {
      let rank = 0;
      while (rank < part.boundaries.length && value > part.boundaries[rank]!) rank++;
      return rank;
    }
  }
}

/** One interval for each dimension of an axis. */
export type AxisBox = readonly (readonly [min: number, max: number])[];

/** The boxes over the dimensions of an axis that make up an interval of its field. */
export function axisBoxes(axis: Axis, range: Interval): readonly AxisBox[] {
  const [only] = axis.dimensions;
  switch (only!.part.kind) {
    case 'whole':
      return [[[Number(range.min), Number(range.max)]]];
    case 'rank':
      return [[[dimensionValue(only!, range.min), dimensionValue(only!, range.max)]]];
    case 'word':
      return wordBoxes(range.min, range.max, Math.ceil(FIELDS[axis.field].bits / 32)).map((box) =>
        box.slice(0, axis.dimensions.length),
      );
  }
}

/** An interval of a wide value: the part in its first word's lower end, those in between, the part in the upper end. */
function wordBoxes(min: bigint, max: bigint, words: number): AxisBox[] {
  if (words === 1) return [[[Number(min), Number(max)]]];
  const shift = BigInt(32 * (words - 1));
  const rest = (1n << shift) - 1n;
  let first = Number(min >> shift);
  let last = Number(max >> shift);
  const under = (top: number, boxes: AxisBox[]): AxisBox[] => boxes.map((box) => [[top, top], ...box]);
  if (first === last) return under(first, wordBoxes(min & rest, max & rest, words - 1));
  const out: AxisBox[] = [];
  if ((min & rest) !== 0n) out.push(...under(first++, wordBoxes(min & rest, rest, words - 1)));
  const tail = (max & rest) === rest ? [] : under(last--, wordBoxes(0n, max & rest, words - 1));
  if (first <= last) {
    out.push([[first, last], ...Array.from({ length: words - 1 }, (): [number, number] => [0, WORD_MAX])]);
  }
  out.push(...tail);
  return out;
}
