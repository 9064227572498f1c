import fc from 'fast-check';
import { expect, test } from 'vitest';
import { complementRanges, equals, intersectRanges, masked, normaliseRanges } from './expr.ts';
import type { Interval } from './ir.ts';

const value = fc.bigInt({ min: 0n, max: 30n });
const ranges = fc
  .array(fc.record({ min: value, max: value }), { maxLength: 6 })
  .map((list): readonly Interval[] => normaliseRanges(list));

function sorted(x: bigint, y: bigint): readonly [smaller: bigint, larger: bigint] {
  return x < y ? [x, y] : [y, x];
}

/** The same in the obvious way: every pair; empty intervals are dropped by the normalisation. */
function everyPair(a: readonly Interval[], b: readonly Interval[]): readonly Interval[] {
  const pairs = a.flatMap((x) => b.map((y) => [x, y] as const));
  return normaliseRanges(pairs.map(([x, y]) => ({ min: sorted(x.min, y.min)[1], max: sorted(x.max, y.max)[0] })));
}

test('what two lists share', () => {
  fc.assert(
    fc.property(ranges, ranges, (a, b) => {
      expect(intersectRanges(a, b)).toEqual(everyPair(a, b));
      expect(intersectRanges(a, a)).toEqual(a);
    }),
  );
});

test('what a list leaves out is normalised and has nothing of it', () => {
  fc.assert(
    fc.property(ranges, (a) => {
      const rest = complementRanges(a, 30n);
      expect(rest).toEqual(normaliseRanges(rest));
      expect(intersectRanges(a, rest)).toEqual([]);
      expect(normaliseRanges([...a, ...rest])).toEqual([{ min: 0n, max: 30n }]);
    }),
  );
});

test('equal small numbers are one test, whatever the type of the number', () => {
  expect(equals('ip.protocol', 6)).toBe(equals('ip.protocol', 6));
  expect(equals('ip.protocol', 6)).toEqual(equals('ip.protocol', 6n));
  expect(masked('ip.protocol', 6n, 0xffn)).toEqual(equals('ip.protocol', 6));
});
