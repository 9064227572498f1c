/** Is the value in a register in a set of ranges? */

import { and, at, lddw, mov, rsh, sub } from '../../bpf/assembly.ts';
import { R1, R2, R3 } from '../../bpf/instruction.ts';
import type { Interval } from '../../policy/ir.ts';
import { behind, inside, jumpIfCompares, jumpTo, type Target } from './branch.ts';
import type { HookContext } from './context.ts';

/** Ranges that all lie in the first 64 values are looked up in a 64-bit word. */
const BITMAP_VALUES = 64n;
/** From here on ranges are searched by halves. */
const SEARCH_FROM = 5;

export interface RangeTest {
  /** Width of the value in r1. */
  readonly bits: number;
  /** Largest value that can occur. */
  readonly max: bigint;
  /** Sorted, disjoint, not adjacent. */
  readonly ranges: readonly Interval[];
}

/** Jumps to `target` if (r1 in ranges) equals `sense`, else falls through. Uses r1..r3. */
export function jumpIfInRanges(ctx: HookContext, test: RangeTest, sense: boolean, target: Target): void {
  const { ranges, max } = test;
  const [first] = ranges;
  if (first === undefined || (first.min === 0n && first.max >= max)) {
    if ((first !== undefined) === sense) jumpTo(ctx, target);
  } else if (ranges.length === 1) jumpIfInRange(ctx, test, first, sense, target);
  else if (max < BITMAP_VALUES) jumpByBitmap(ctx, ranges, sense, target);
  else jumpBySearch(ctx, test, sense, target);
}

function jumpIfInRange(ctx: HookContext, test: RangeTest, range: Interval, sense: boolean, target: Target): void {
  const { bits, max } = test;
  const { min } = range;
  if (min === range.max) jumpIfCompares(ctx, R1, sense ? 'eq' : 'ne', min, bits, target);
  else if (min === 0n) jumpIfCompares(ctx, R1, sense ? 'le' : 'gt', range.max, bits, target);
  else if (range.max >= max) jumpIfCompares(ctx, R1, sense ? 'ge' : 'lt', min, bits, target);
  else {
    // value - min, as an unsigned number, exceeds max - min for values on either side.
    if (bits <= 32) ctx.out.emit(sub.imm32(R1, Number(min)));
    else ctx.out.emit(lddw.imm(R2, min), sub.reg(R1, R2));
    jumpIfCompares(ctx, R1, sense ? 'le' : 'gt', range.max - min, bits, target);
  }
}

function jumpByBitmap(ctx: HookContext, ranges: readonly Interval[], sense: boolean, target: Target): void {
  let bitmap = 0n;
  for (const { min, max } of ranges) for (let value = min; value <= max; value++) bitmap |= 1n << value;
  ctx.out.emit(
    bitmap <= 0x7fffffffn ? mov.imm(R3, Number(bitmap)) : lddw.imm(R3, bitmap),
    rsh.reg(R3, R1),
    and.imm(R3, 1),
  );
  jumpIfCompares(ctx, R3, sense ? 'ne' : 'eq', 0n, 32, target);
}

function jumpBySearch(ctx: HookContext, test: RangeTest, sense: boolean, target: Target): void {
  const done = behind(ctx, 'searched', target);
  const [hit, miss] = sense ? [target, done] : [done, target];
  search(ctx, test, test.ranges, hit, miss);
  ctx.out.emit(at(done.label));
}

/** Goes to `hit` or `miss`. */
function search(ctx: HookContext, test: RangeTest, ranges: readonly Interval[], hit: Target, miss: Target): void {
  if (ranges.length >= SEARCH_FROM) {
    const middle = ranges.length >> 1;
    const upper = inside(ctx, 'upper');
    jumpIfCompares(ctx, R1, 'ge', ranges[middle]!.min, test.bits, upper);
    search(ctx, test, ranges.slice(0, middle), hit, miss);
    ctx.out.emit(at(upper.label));
    search(ctx, test, ranges.slice(middle), hit, miss);
    return;
  }
  for (const { min, max } of ranges) {
    if (min === max) {
      jumpIfCompares(ctx, R1, 'eq', min, test.bits, hit);
      continue;
    }
    // The ranges are sorted: what lies below this one lies in none of those that follow.
    if (min > 0n) jumpIfCompares(ctx, R1, 'lt', min, test.bits, miss);
    jumpIfCompares(ctx, R1, 'le', max, test.bits, hit);
  }
  jumpTo(ctx, miss);
}
