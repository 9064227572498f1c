import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fieldMax, test } from '../policy/expr.ts';
import type { FieldName } from '../policy/fields.ts';
import type { Test } from '../policy/ir.ts';
import { axisBoxes, dimensionValue, planAxis, unmask, wordsUsed } from './dimension.ts';

const FIELD = fc.constantFrom<FieldName>(
  'ip.saddr',
  'ip6.saddr',
  'transport.dport',
  'mac.saddr',
  'meta.iifname',
  'ct.present',
);

/** Boundaries, a range between two of them, and values around both. */
const CASE = FIELD.chain((field) => {
  const value = fc.bigInt({ min: 0n, max: fieldMax(field) });
  // Words that are all zeros or all ones make the middle and the ends of an interval disappear.
  const round = fc
    .tuple(value, fc.integer({ min: 0, max: 4 }))
    .map(([v, words]) => (v >> BigInt(32 * words)) << BigInt(32 * words));
  return fc.record({
    field: fc.constant(field),
    a: fc.oneof(value, round),
    b: fc.oneof(
      value,
      round,
      round.map((v) => (v === 0n ? v : v - 1n)),
    ),
    more: fc.array(value, { maxLength: 12 }),
  });
});

describe('dimensions', () => {
  it('the boxes of an interval hold exactly its values', () => {
    fc.assert(
      fc.property(CASE, ({ field, a, b, more }) => {
        const range = a < b ? { min: a, max: b } : { min: b, max: a };
        const boundaries = [...new Set([range.max, ...(range.min > 0n ? [range.min - 1n] : []), ...more])];
        const axis = planAxis(
          field,
          undefined,
          boundaries.sort((x, y) => (x < y ? -1 : 1)),
          0,
        );
        const boxes = axisBoxes(axis, range);
        for (const v of [a, b, a + 1n, a - 1n, b + 1n, b - 1n, ...more].filter(
          (v) => v >= 0n && v <= fieldMax(field),
        )) {
          const key = axis.dimensions.map((dimension) => dimensionValue(dimension, v));
          const inside = boxes.filter((box) => box.every(([min, max], d) => key[d]! >= min && key[d]! <= max));
          expect(inside.length).toBe(v >= range.min && v <= range.max ? 1 : 0);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('words that every interval leaves open are no dimensions', () => {
    const prefix = { min: 0x2001_0db8_0000_0001n << 64n, max: (0x2001_0db8_0000_0002n << 64n) - 1n };
    expect(wordsUsed('ip6.saddr', prefix)).toBe(2);
    const many = Array.from({ length: 20 }, (_, i) => prefix.min + (BigInt(i) << 64n));
    const axis = planAxis('ip6.saddr', undefined, many, 0, 2);
    expect(axis.dimensions.map(({ part }) => part)).toEqual([
      { kind: 'word', word: 0 },
      { kind: 'word', word: 1 },
    ]);
    expect(axisBoxes(axis, prefix)).toEqual([
      [
        [0x20010db8, 0x20010db8],
        [1, 1],
      ],
    ]);
  });

  it('a mask of upper bits becomes intervals, others stay', () => {
    const prefix = test('ip.saddr', [{ min: 0x0a000000n, max: 0x0a000000n }], 0xff000000n) as Test;
    expect(unmask(prefix)).toEqual({
      kind: 'test',
      field: 'ip.saddr',
      ranges: [{ min: 0x0a000000n, max: 0x0affffffn }],
    });
    const flags = test('tcp.flags', [{ min: 2n, max: 2n }], 0x17n) as Test;
    expect(unmask(flags)).toBe(flags);
  });
});
