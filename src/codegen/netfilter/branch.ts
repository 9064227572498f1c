/**
 * Conditional jumps as the verifier likes them.
 *
 * The verifier follows the fall-through first and remembers the jump's target for later, at most 8,192 at a time. A target
 * that soon leaves the program should therefore be reached by falling into it, or every rule would leave one more target
 * waiting: for such targets the jump is turned round and hops over a plain jump.
 */

import { at, ja, jeq, jge, jgt, jle, jlt, jne, lddw } from '../../bpf/assembly.ts';
import type { Label } from '../../bpf/code.ts';
import { R2 } from '../../bpf/instruction.ts';
import type { HookContext } from './context.ts';

export interface Target {
  readonly label: Label;
  /** The code there ends the program without coming back to later rules. */
  readonly leaves: boolean;
  /** The code that follows when the jump is not taken does. */
  readonly elseLeaves: boolean;
}

/** A label within a test, from where testing goes on. */
export function inside(ctx: HookContext, hint: string): Target {
  return { label: ctx.out.label(hint), leaves: false, elseLeaves: false };
}

/** A label right behind a test: where falling through leads. */
export function behind(ctx: HookContext, hint: string, target: Target): Target {
  return { label: ctx.out.label(hint), leaves: target.elseLeaves, elseLeaves: false };
}

const OPERATIONS = { eq: jeq, ne: jne, gt: jgt, ge: jge, lt: jlt, le: jle } as const;
const OPPOSITES = { eq: 'ne', ne: 'eq', gt: 'le', le: 'gt', ge: 'lt', lt: 'ge' } as const;
/** Unsigned comparisons. */
export type Comparison = keyof typeof OPERATIONS;

export function opposite(comparison: Comparison): Comparison {
  return OPPOSITES[comparison];
}

/** Jumps to `target` if `register OP value`, both as unsigned numbers of `bits` bits; uses r2 for wide values. */
export function jumpIfCompares(
  ctx: HookContext,
  register: number,
  comparison: Comparison,
  value: bigint,
  bits: number,
  target: Target,
): void {
  const { out } = ctx;
  if (target.leaves) {
    const stay = inside(ctx, 'stay');
    jumpIfCompares(ctx, register, opposite(comparison), value, bits, stay);
    out.emit(ja(target.label), at(stay.label));
    return;
  }
  const jump = OPERATIONS[comparison];
  if (bits <= 32) out.emit(jump.imm32(register, Number(value), target.label));
  else if (value <= 0x7fffffffn) out.emit(jump.imm(register, Number(value), target.label));
  else out.emit(lddw.imm(R2, value), jump.reg(register, R2, target.label));
}

/** Plain jump. */
export function jumpTo(ctx: HookContext, target: Target): void {
  ctx.out.emit(ja(target.label));
}
