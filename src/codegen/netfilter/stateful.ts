/** Tests with memory. The memory lies in one map value shared by all hooks and CPUs; changes are compare-and-exchange. */

import {
  add,
  and,
  arsh,
  at,
  atomic,
  call,
  jeq,
  jge,
  jgt,
  jne,
  lddw,
  ldx,
  mov,
  mul,
  neg,
  or,
  rsh,
  sub,
  xor,
} from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5 } from '../../bpf/instruction.ts';
import type { StatefulTest, StateObject } from '../../policy/ir.ts';
import { type LimitCredits, limitCredits } from '../../policy/limit.ts';
import { MAP_NAMES } from '../compiled.ts';
import { jumpIfCompares, type Target } from './branch.ts';
import type { BodyContext } from './context.ts';
import { HELPER } from './layout.ts';
import { runHashlimit } from './state/hashlimit.ts';
import type { NamedMap } from './state/named-map.ts';
import { runQuota } from './state/quota.ts';
import { runRecent } from './state/recent.ts';

/**
 * struct { u64 prev; u32 credit; u32 unused; u32 cost; u32 cap } and struct { u32 count; u32 unused[3]; u32 every }: what code that rules share
 * has to read; and behind that, of rules that log, the place of their record (row-parameters.ts).
 */
export const STATE_BYTES = 32;
const LIMIT = { prev: 0, credit: 8, cost: 16, cap: 20 } as const;
const NTH = { count: 0, every: 16 } as const;
export const STATE_LOG = 24;

/** The memory of a state object as it is before any packet. `prev` 0: not used yet. */
export function initialState(state: StateObject, hz: number, out: DataView, at: number): void {
  switch (state.kind) {
    case 'limit': {
      const { cost, cap } = limitCredits(state, hz);
      out.setUint32(at + LIMIT.credit, cap, true);
      out.setUint32(at + LIMIT.cost, cost, true);
      out.setUint32(at + LIMIT.cap, cap, true);
      return;
    }
    case 'nth':
      out.setUint32(at + NTH.count, state.packet, true);
      out.setUint32(at + NTH.every, state.every, true);
      return;
    case 'quota':
      out.setBigUint64(at, state.bytes, true);
      return;
    case 'recent':
    case 'hashlimit':
      return;
  }
}

/** Runs the test; jumps to `target` unless (its answer xor `invert`), to `hotdrop` when it drops the packet. */
export function jumpUnlessStateful(
  ctx: BodyContext,
  test: StatefulTest,
  invert: boolean,
  target: Target,
  hotdrop: Target,
): void {
  if (test.kind === 'random') {
    ctx.out.emit(call.helper(HELPER.random), mov.reg32(R1, R0), and.imm32(R1, 0x7fffffff));
    jumpIfCompares(ctx, R1, invert ? 'lt' : 'ge', BigInt(test.probability), 32, target);
    return;
  }
  if (test.kind === 'staged') {
    ctx.suspend!(test.question);
    jumpIfCompares(ctx, R4, invert ? 'ne' : 'eq', 0n, 32, target);
    return;
  }
  const state = ctx.policy.states[test.state];
  const offset = ctx.stateOffsets[test.state];
  if (state?.kind !== test.kind || offset === undefined) throw new Error(`state ${test.state} is not a ${test.kind}`);
  switch (state.kind) {
    case 'limit':
      runLimit(ctx, limitCredits(state, ctx.facts.hz), test.state, hotdrop.label);
      break;
    case 'nth':
      runNth(ctx, state.every, test.state, hotdrop.label);
      break;
    case 'quota':
      runQuota(ctx, statePlace(ctx, R1, R3, test.state, hotdrop.label));
      break;
    case 'recent':
      if (test.kind === 'recent') runRecent(ctx, test, namedOf(ctx, test.state));
      break;
    case 'hashlimit':
      if (test.kind === 'hashlimit') runHashlimit(ctx, test, namedOf(ctx, test.state), offset, hotdrop);
      break;
  }
  jumpIfCompares(ctx, R4, invert ? 'ne' : 'eq', 0n, 32, target);
}

/** dst = byte offset of the state in the state map; uses `scratch`. The label is never gone to. */
function statePlace(ctx: BodyContext, dst: number, scratch: number, state: number, never: Label): readonly CodeItem[] {
  const { parameter } = ctx;
  if (parameter?.first === undefined) return [mov.imm(dst, ctx.stateOffsets[state]!)];
  const behind = (state - parameter.first) * STATE_BYTES;
  return [
    ...parameter.load(dst, scratch, never),
    add.imm(dst, behind),
    and.imm(dst, ~(STATE_BYTES - 1)),
    jgt.imm(dst, ctx.stateBytes - STATE_BYTES, never),
  ];
}

/** r1 = address of the state. Uses r2. */
function loadState(ctx: BodyContext, state: number, never: Label): readonly CodeItem[] {
  if (ctx.parameter?.first === undefined) return [lddw.mapValue(R1, MAP_NAMES.states, ctx.stateOffsets[state]!)];
  return [...statePlace(ctx, R1, R2, state, never), lddw.mapValue(R2, MAP_NAMES.states), add.reg(R1, R2)];
}

/** register = a number of the state: known, or, where rules share this code, from their memory. */
function stateNumber(ctx: BodyContext, register: number, value: number, place: number): CodeItem {
  return ctx.parameter?.first === undefined ? mov.imm32(register, value) : ldx.w(register, R1, place);
}

function namedOf(ctx: BodyContext, state: number): NamedMap {
  const named = ctx.named[state];
  if (named === undefined) throw new Error(`state ${state} has no name`);
  return named;
}

/** How often a compare-and-exchange is tried: it fails only when another CPU came between two instructions. */
const TRIES = 8;

/** Branches that the verifier sees in the tries after the first. */
export const HIDDEN_BRANCHES = (TRIES - 1) * 2;

/**
 * r4 = 1 if the packet can be paid for, else 0: limit_mt of xt_limit. Unlike there, `prev` begins at the first use, which
 * finds the bucket full either way.
 */
function runLimit(ctx: BodyContext, { cost, cap, perJiffy }: LimitCredits, state: number, never: Label): void {
  const { out } = ctx;
  const [use, known, again, done] = ['use', 'known', 'again', 'done'].map((hint) => out.label(hint)) as [
    Label,
    Label,
    Label,
    Label,
  ];
  out.emit(
    call.helper(HELPER.jiffies),
    ...loadState(ctx, state, never),
    // Nothing to gain: too little credit, and no jiffy has passed since the last use.
    mov.imm(R4, 0),
    ldx.w(R2, R1, LIMIT.credit),
    stateNumber(ctx, R3, cost, LIMIT.cost),
    jge.reg32(R2, R3, use),
    ldx.dw(R2, R1, LIMIT.prev),
    jeq.reg(R2, R0, done),
    at(use),
    mov.reg(R3, R0),
    atomic.xchg.dw(R1, LIMIT.prev, R3),
    mov.imm(R2, 0),
    jeq.imm(R3, 0, known),
    mov.reg(R2, R0),
    sub.reg(R2, R3),
    mul.imm32(R2, perJiffy),
    at(known),
    // r2: credit earned, and in its upper half the tries that are left.
    lddw.imm(R3, BigInt(TRIES) << 32n),
    or.reg(R2, R3),
    at(again),
    ldx.w(R0, R1, LIMIT.credit),
    mov.reg32(R5, R0),
    mov.reg32(R3, R0),
    add.reg32(R3, R2),
    // r3 = min(r3, cap), without a branch: the verifier would follow both sides in every try.
    stateNumber(ctx, R4, cap, LIMIT.cap),
    sub.reg(R4, R3),
    ...keepNegative(R4, R0),
    add.reg32(R3, R4),
    // r4 = r3 >= cost
    stateNumber(ctx, R0, cost, LIMIT.cost),
    mov.reg(R4, R3),
    sub.reg(R4, R0),
    arsh.imm(R4, 63),
    add.imm(R4, 1),
    // r3 -= r4 ? cost : 0
    mul.reg32(R0, R4),
    sub.reg32(R3, R0),
    mov.reg32(R0, R5),
    atomic.cmpxchg.w(R1, LIMIT.credit, R3),
    jeq.reg32(R0, R5, done),
    ...nextTry(R2, again),
    at(done),
  );
}

/** register = min(register, 0), signed; uses `scratch`. */
function keepNegative(register: number, scratch: number): readonly CodeItem[] {
  return [mov.reg(scratch, register), arsh.imm(scratch, 63), and.reg(register, scratch)];
}

/** r4 = 1 if it is this packet's turn, else 0: mode nth of xt_statistic. */
function runNth(ctx: BodyContext, every: number, state: number, never: Label): void {
  const { out } = ctx;
  const [again, done] = [out.label('again'), out.label('done')];
  out.emit(
    ...loadState(ctx, state, never),
    lddw.imm(R2, BigInt(TRIES) << 32n),
    at(again),
    ldx.w(R0, R1, 0),
    mov.reg32(R5, R0),
    // r3 = r0 == every ? 0 : r0 + 1, and r4 = r3 == 0, without teaching the verifier numbers that differ from path to path.
    mov.reg32(R3, R0),
    stateNumber(ctx, R4, every, NTH.every),
    xor.reg32(R3, R4),
    ...notZero(R4, R3),
    mov.reg32(R3, R0),
    add.imm32(R3, 1),
    mul.reg32(R3, R4),
    ...notZero(R4, R3),
    xor.imm(R4, 1),
    atomic.cmpxchg.w(R1, 0, R3),
    jeq.reg32(R0, R5, done),
    ...nextTry(R2, again),
    at(done),
  );
}

/** dst = register == 0 ? 0 : 1, for a number of 32 bits. */
function notZero(dst: number, register: number): readonly CodeItem[] {
  return [mov.reg(dst, register), neg.reg(dst), rsh.imm(dst, 63)];
}

/** Counts the upper half of `register` down and jumps to `again`; falls through with r4 = 0 when it is used up. Uses r3. */
function nextTry(register: number, again: Label): readonly CodeItem[] {
  return [
    lddw.imm(R3, -(1n << 32n)),
    add.reg(register, R3),
    mov.reg(R3, register),
    rsh.imm(R3, 32),
    jne.imm32(R3, 0, again),
    mov.imm(R4, 0),
  ];
}
