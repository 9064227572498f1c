/** Tests of 128-bit fields (IPv6 addresses, device names), half by half. */

import { and, at, endian, lddw, xor } from '../../bpf/assembly.ts';
import { R1, R2 } from '../../bpf/instruction.ts';
import type { FieldName } from '../../policy/fields.ts';
import type { Interval } from '../../policy/ir.ts';
import { behind, inside, jumpIfCompares, jumpTo, type Target } from './branch.ts';
import type { BodyContext } from './context.ts';
import { loadHalf } from './fields.ts';

const HALF_ONES = (1n << 64n) - 1n;
const ONES = (1n << 128n) - 1n;

interface WideTest {
  readonly field: FieldName;
  readonly mask: bigint;
  readonly ranges: readonly Interval[];
}

/** Jumps to `target` if ((field & mask) in ranges) equals `sense`. */
export function jumpIfWide(ctx: BodyContext, test: WideTest, sense: boolean, target: Target): void {
  const done = behind(ctx, 'wide', target);
  const [hit, miss] = sense ? [target, done] : [done, target];
  for (const range of test.ranges) {
    const next = inside(ctx, 'range');
    const last = range === test.ranges.at(-1);
    if (sense || !last) {
      // Inside goes to `hit`, outside falls to the next range.
      jumpUnlessInside(ctx, test, range, next);
      jumpTo(ctx, hit);
      ctx.out.emit(at(next.label));
    } else jumpUnlessInside(ctx, test, range, miss);
  }
  if (test.ranges.length === 0) jumpTo(ctx, miss);
  ctx.out.emit(at(done.label));
}

function jumpUnlessInside(ctx: BodyContext, test: WideTest, range: Interval, miss: Target): void {
  const prefix = asMasked(test.mask, range);
  if (prefix !== undefined) {
    for (const half of ['high', 'low'] as const) {
      const shift = half === 'high' ? 64n : 0n;
      const mask = (prefix.mask >> shift) & HALF_ONES;
      if (mask !== 0n) jumpUnlessEqual(ctx, test.field, half, mask, (prefix.value >> shift) & HALF_ONES, miss);
    }
    return;
  }
  // value < min or value > max: the high halves decide unless they are equal.
  jumpIfBeyond(ctx, test, range.min, 'lt', miss);
  jumpIfBeyond(ctx, test, range.max, 'gt', miss);
}

/** A range as one masked comparison, if it is one: a single value, or all values of a prefix. */
function asMasked(mask: bigint, range: Interval): { mask: bigint; value: bigint } | undefined {
  if (range.min === range.max) return { mask, value: range.min };
  const differing = range.min ^ range.max;
  const prefix = (differing & (differing + 1n)) === 0n && (range.min & differing) === 0n;
  // With holes in the mask below, the range need not cover what the differing bits can be.
  return prefix && (mask & differing) === differing ? { mask: mask & ~differing & ONES, value: range.min } : undefined;
}

function jumpUnlessEqual(
  ctx: BodyContext,
  field: FieldName,
  half: 'high' | 'low',
  mask: bigint,
  value: bigint,
  miss: Target,
): void {
  loadHalf(ctx, field, half);
  if (mask !== HALF_ONES) ctx.out.emit(lddw.imm(R2, swap64(mask)), and.reg(R1, R2));
  // xor makes a new value: the verifier learns nothing about what was loaded.
  ctx.out.emit(lddw.imm(R2, swap64(value)), xor.reg(R1, R2));
  jumpIfCompares(ctx, R1, 'ne', 0n, 64, miss);
}

function jumpIfBeyond(ctx: BodyContext, test: WideTest, bound: bigint, comparison: 'lt' | 'gt', miss: Target): void {
  const equal = inside(ctx, 'half');
  loadHostHalf(ctx, test, 'high');
  const high = bound >> 64n;
  jumpIfCompares(ctx, R1, comparison, high, 64, miss);
  jumpIfCompares(ctx, R1, 'ne', high, 64, equal);
  loadHostHalf(ctx, test, 'low');
  jumpIfCompares(ctx, R1, comparison, bound & HALF_ONES, 64, miss);
  ctx.out.emit(at(equal.label));
}

function loadHostHalf(ctx: BodyContext, test: WideTest, half: 'high' | 'low'): void {
  loadHalf(ctx, test.field, half);
  ctx.out.emit(endian.toBe(64, R1));
  const mask = (test.mask >> (half === 'high' ? 64n : 0n)) & HALF_ONES;
  if (mask !== HALF_ONES) ctx.out.emit(lddw.imm(R2, mask), and.reg(R1, R2));
}

/** A 64-bit number with its bytes turned round: what eight big-endian bytes are when loaded on a little-endian machine. */
export function swap64(value: bigint): bigint {
  let out = 0n;
  for (let i = 0n; i < 8n; i++) out |= ((value >> (8n * i)) & 0xffn) << (8n * (7n - i));
  return out;
}
