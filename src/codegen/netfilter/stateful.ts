/** Tests with memory. The memory lies in one map value shared by all hooks and CPUs; changes are compare-and-exchange. */

import {
  add,
  and,
  at,
  atomic,
  call,
  exit,
  jeq,
  jge,
  jle,
  jlt,
  jne,
  lddw,
  ldx,
  mov,
  mul,
  sub,
} from '../../bpf/assembly.ts';
import { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9 } from '../../bpf/instruction.ts';
import type { StatefulTest, StateObject } from '../../policy/ir.ts';
import { creditsPerJiffy, limitCredits } from '../../policy/limit.ts';
import { MAP_NAMES } from '../compiled.ts';
import { jumpIfCompares, type Target } from './branch.ts';
import type { BodyContext, HookContext } from './context.ts';
import { HELPER } from './layout.ts';

/** struct { u64 prev; u32 credit; u32 unused } and struct { u32 count; u32 unused[3] } */
export const STATE_BYTES = 16;
const LIMIT = { prev: 0, credit: 8 } as const;

/** The memory of a state object as it is before any packet. `prev` 0: not used yet. */
export function initialState(state: StateObject, hz: number, out: DataView, at: number): void {
  switch (state.kind) {
    case 'limit':
      out.setUint32(at + LIMIT.credit, limitCredits(state, hz).cap, true);
      return;
    case 'nth':
      out.setUint32(at, state.packet, true);
      return;
  }
}

/** Runs the test; jumps to `target` unless (its answer xor `invert`). */
export function jumpUnlessStateful(ctx: BodyContext, test: StatefulTest, invert: boolean, target: Target): void {
  if (test.kind === 'random') {
    ctx.out.emit(call.helper(HELPER.random), mov.reg32(R1, R0), and.imm32(R1, 0x7fffffff));
    jumpIfCompares(ctx, R1, invert ? 'lt' : 'ge', BigInt(test.probability), 32, target);
    return;
  }
  const state = ctx.policy.states[test.state];
  const offset = ctx.stateOffsets[test.state];
  if (state?.kind !== test.kind || offset === undefined) throw new Error(`state ${test.state} is not a ${test.kind}`);
  ctx.functions.add(state.kind);
  ctx.out.emit(lddw.mapValue(R1, MAP_NAMES.states, offset));
  if (state.kind === 'limit') {
    const { cost, cap } = limitCredits(state, ctx.facts.hz);
    ctx.out.emit(mov.imm32(R2, cost), mov.imm32(R3, cap));
  } else ctx.out.emit(mov.imm32(R2, state.every));
  ctx.out.emit(call.local(state.kind));
  jumpIfCompares(ctx, R0, invert ? 'ne' : 'eq', 0n, 32, target);
}

/** How often a compare-and-exchange is tried: it fails only when another CPU came between two instructions. */
const TRIES = 16;

/**
 * Function limit(r1 state, r2 cost, r3 cap) -> r0 1 or 0: limit_mt of xt_limit. Unlike there, `prev` begins at the first
 * use, which finds the bucket full either way.
 */
export function emitLimit(ctx: HookContext): void {
  const { out } = ctx;
  const [first, retry, capped, poor, fail, done] = ['first', 'retry', 'capped', 'poor', 'fail', 'done'].map((hint) =>
    out.label(hint),
  ) as [string, string, string, string, string, string];
  out.emit(
    mov.reg(R6, R1),
    mov.reg(R7, R2),
    mov.reg(R8, R3),
    call.helper(HELPER.jiffies),
    // Nothing to gain: poor, and no jiffy has passed since the last use.
    ldx.w(R1, R6, LIMIT.credit),
    jge.reg(R1, R7, first),
    ldx.dw(R1, R6, LIMIT.prev),
    jeq.reg(R1, R0, fail),
    at(first),
    mov.reg(R1, R0),
    atomic.xchg.dw(R6, LIMIT.prev, R1),
    mov.imm(R2, 0),
    jeq.imm(R1, 0, retry),
    mov.reg(R2, R0),
    sub.reg(R2, R1),
    mul.imm32(R2, creditsPerJiffy(ctx.facts.hz)),
    at(retry),
    mov.imm(R9, TRIES),
  );
  const again = out.label('again');
  out.emit(
    at(again),
    ldx.w(R0, R6, LIMIT.credit),
    mov.reg32(R5, R0),
    mov.reg32(R3, R0),
    add.reg32(R3, R2),
    jle.reg32(R3, R8, capped),
    mov.reg32(R3, R8),
    at(capped),
    mov.imm(R4, 0),
    jlt.reg32(R3, R7, poor),
    sub.reg32(R3, R7),
    mov.imm(R4, 1),
    at(poor),
    atomic.cmpxchg.w(R6, LIMIT.credit, R3),
    jeq.reg32(R0, R5, done),
    sub.imm(R9, 1),
    jne.imm(R9, 0, again),
    at(fail),
    mov.imm(R0, 0),
    exit(),
    at(done),
    mov.reg(R0, R4),
    exit(),
  );
}

/** Function nth(r1 counter, r2 every) -> r0 1 or 0: mode nth of xt_statistic. */
export function emitNth(ctx: HookContext): void {
  const { out } = ctx;
  const [again, wrap, store, done] = ['again', 'wrap', 'store', 'done'].map((hint) => out.label(hint)) as [
    string,
    string,
    string,
    string,
  ];
  out.emit(
    mov.imm(R9, TRIES),
    at(again),
    ldx.w(R0, R1, 0),
    mov.reg32(R5, R0),
    mov.imm(R3, 0),
    jeq.reg32(R0, R2, store),
    mov.reg32(R3, R0),
    add.imm32(R3, 1),
    at(store),
    mov.reg32(R4, R3),
    atomic.cmpxchg.w(R1, 0, R3),
    jeq.reg32(R0, R5, done),
    sub.imm(R9, 1),
    jne.imm(R9, 0, again),
    mov.imm(R0, 0),
    exit(),
    at(done),
    mov.imm(R0, 1),
    jeq.imm32(R4, 0, wrap),
    mov.imm(R0, 0),
    at(wrap),
    exit(),
  );
}
