/**
 * Several equalities in one compare. "Protocol is 6 and destination port is 22" are both bits of the flow word, so they are
 * one masked comparison of half a register: fewer instructions, and one branch for the verifier instead of two.
 */

import { and, mov, or, rsh, xor } from '../../bpf/assembly.ts';
import { R1, R2 } from '../../bpf/instruction.ts';
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

export type MergedTest = WordTest | Expr;

/**
 * Turns the members of a conjunction of pure tests into as few tests as possible. A merged test stands where its first
 * member stood; pure tests may change places freely. Equalities that contradict each other leave a constant.
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

/** Undefined when the test is no equality of a field in r7 or r8, or asks for bits that the field's place does not have. */
function asWord(expr: Expr, layout: FlowLayout): WordTest | undefined {
  if (expr.kind !== 'test' || expr.ranges.length !== 1) return undefined;
  const place = layout.places[expr.field];
  const range = expr.ranges[0]!;
  if (place === undefined || range.min !== range.max) return undefined;
  const ones = (1n << BigInt(place.bits)) - 1n;
  if (range.min > ones) return undefined;
  // Places never cross the middle of the register, so plain numbers do.
  const high = place.shift >= 32;
  const unit = 2 ** (high ? place.shift - 32 : place.shift);
  return {
    kind: 'word',
    register: place.register,
    half: high ? 'high' : 'low',
    mask: (expr.mask === undefined ? 2 ** place.bits - 1 : Number(expr.mask & ones)) * unit,
    value: Number(range.min) * unit,
  };
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
  loadWord(ctx, test, R1);
  jumpIfCompares(ctx, R1, 'ne', BigInt(test.value), 32, target);
}

/** Jumps to `target` unless all tests hold, with a single branch: what differs is collected first. */
export function jumpUnlessWords(ctx: BodyContext, tests: readonly WordTest[], target: Target): void {
  const [first, ...others] = tests;
  if (first === undefined) return;
  if (others.length === 0) {
    jumpUnlessWord(ctx, first, target);
    return;
  }
  loadWord(ctx, first, R1);
  ctx.out.emit(xor.imm32(R1, first.value));
  for (const test of others) {
    loadWord(ctx, test, R2);
    ctx.out.emit(xor.imm32(R2, test.value), or.reg(R1, R2));
  }
  jumpIfCompares(ctx, R1, 'ne', 0n, 32, target);
}

/** dst = the half, masked. */
function loadWord(ctx: BodyContext, { register, half, mask }: WordTest, dst: number): void {
  const zero = register === FLOW && half === 'low' ? Number(ctx.layout.zeroBits) : 0;
  if (half === 'low') ctx.out.emit(mov.reg32(dst, register));
  else ctx.out.emit(mov.reg(dst, register), rsh.imm(dst, 32));
  // Bits that are always zero may be compared like any others, which often makes the mask needless.
  if ((mask | zero) >>> 0 !== 0xffffffff) ctx.out.emit(and.imm32(dst, mask));
}
