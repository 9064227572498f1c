/**
 * Several equalities in one compare. "Protocol is 6 and destination port is 22" are both bits of the flow word, so they are
 * one masked comparison of half a register: fewer instructions, and one branch for the verifier instead of two.
 */

import { and, mov, rsh } from '../../bpf/assembly.ts';
import { R1 } from '../../bpf/instruction.ts';
import { fieldMax } from '../../policy/expr.ts';
import type { Expr } from '../../policy/ir.ts';
import { jumpIfCompares, type Target } from './branch.ts';
import type { BodyContext } from './context.ts';
import type { FlowLayout } from './flow-word.ts';
import { FLOW } from './layout.ts';

/** `(half & mask) == value`, unsigned 32-bit numbers. */
export interface WordTest {
  readonly kind: 'word';
  readonly register: number;
  readonly half: 'low' | 'high';
  readonly mask: number;
  readonly value: number;
}

/** Never true: two equalities that contradict each other. */
export type MergedTest = WordTest | Expr;

/**
 * Turns the members of a conjunction of pure tests into as few tests as possible. A merged test stands where its first
 * member stood; pure tests may change places freely.
 */
export function mergeEqualities(exprs: readonly Expr[], layout: FlowLayout): readonly MergedTest[] {
  const out: MergedTest[] = [];
  for (const expr of exprs.flatMap((e) => (e.kind === 'all' ? e.exprs : [e]))) {
    const word = asWord(expr, layout);
    const at = word === undefined ? -1 : out.findIndex((e) => isSameHalf(e, word));
    if (word === undefined) out.push(expr);
    else if (at === -1) out.push(word);
    else {
      const merged = join(out[at] as WordTest, word);
      if (merged === undefined) return [{ kind: 'constant', value: false }];
      out[at] = merged;
    }
  }
  return out;
}

function asWord(expr: Expr, layout: FlowLayout): WordTest | undefined {
  if (expr.kind !== 'test' || expr.ranges.length !== 1) return undefined;
  const place = layout.places[expr.field];
  const range = expr.ranges[0]!;
  if (place === undefined || range.min !== range.max) return undefined;
  const half = place.shift >= 32 ? 'high' : 'low';
  const shift = BigInt(place.shift % 32);
  const mask = (expr.mask ?? fieldMax(expr.field)) << shift;
  return { kind: 'word', register: place.register, half, mask: Number(mask), value: Number(range.min << shift) };
}

function isSameHalf(other: MergedTest, word: WordTest): boolean {
  return other.kind === 'word' && other.register === word.register && other.half === word.half;
}

function join(a: WordTest, b: WordTest): WordTest | undefined {
  const common = a.mask & b.mask;
  if (((a.value ^ b.value) & common) !== 0) return undefined;
  return { ...a, mask: (a.mask | b.mask) >>> 0, value: (a.value | b.value) >>> 0 };
}

/** Jumps to `target` unless the test holds. */
export function jumpUnlessWord(ctx: BodyContext, test: WordTest, target: Target): void {
  const { register, half, mask, value } = test;
  const zero = register === FLOW && half === 'low' ? Number(ctx.layout.zeroBits) : 0;
  if (half === 'low') ctx.out.emit(mov.reg32(R1, register));
  else ctx.out.emit(mov.reg(R1, register), rsh.imm(R1, 32));
  // Bits that are always zero may be compared like any others, which often makes the mask needless.
  if ((mask | zero) >>> 0 !== 0xffffffff) ctx.out.emit(and.imm32(R1, mask));
  jumpIfCompares(ctx, R1, 'ne', BigInt(value), 32, target);
}
