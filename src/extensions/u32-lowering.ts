/** What a u32 program asks: where a test reads once, a plain question about four bytes of the packet; else a scan. */

import { all, between, fieldMax, normaliseRanges, payload } from '../policy/expr.ts';
import type { Expr, Interval } from '../policy/ir.ts';
import type { U32Test } from './values/u32-program.ts';

const BITS = 32n;
const ONES = (1n << BITS) - 1n;
const WIDTH = 4n;

export function u32Program(tests: readonly U32Test[]): Expr {
  return all(...tests.map(u32Test));
}

function u32Test(test: U32Test): Expr {
  const ranges = test.ranges.filter(({ min, max }) => min <= max);
  const plain = maskAndShift(test);
  if (plain === undefined) return scanOf(test, ranges);
  const there = between('meta.length', test.start + WIDTH, fieldMax('meta.length'));
  const { mask, shift } = plain;
  // A number that is shifted to the right lies in a range when what it was shifted from lies in one that is so much wider.
  const low = (1n << shift) - 1n;
  const wider = ranges.map(({ min, max }) => ({ min: min << shift, max: (max << shift) | low }));
  return all(there, payload({ base: 'network', offset: Number(test.start), bits: 32 }, wider, mask & ~low));
}

/** The operations as one mask and then one shift to the right; undefined when they are more than that. */
function maskAndShift({ operations }: U32Test): { readonly mask: bigint; readonly shift: bigint } | undefined {
  let mask = ONES;
  let shift = 0n;
  for (const { operator, operand } of operations) {
    if (operator === '&') mask &= operand << shift;
    else if (operator === '>>') shift += operand;
    else return undefined;
  }
  return { mask, shift };
}

function scanOf({ start, operations }: U32Test, ranges: readonly Interval[]): Expr {
  const steps = operations.map(({ operator, operand }) => ({ operator, operand: Number(operand) }));
  const sorted = normaliseRanges(ranges).map(({ min, max }) => ({ min: Number(min), max: Number(max) }));
  return { kind: 'scan', outcome: 'yes', scan: { kind: 'u32', start: Number(start), steps, ranges: sorted } };
}
