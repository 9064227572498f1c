/** How an early program ends: up the stack with nothing counted, or dropped with everything counted that it has noted. */

import {
  add,
  and,
  at,
  atomic,
  call,
  exit,
  ja,
  jge,
  jgt,
  jle,
  jne,
  lddw,
  ldx,
  mov,
  mul,
  stx,
} from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R7, R8, R10 } from '../../bpf/instruction.ts';
import { MAP_NAMES } from '../compiled.ts';
import type { HookContext } from '../netfilter/context.ts';
import { COUNTER_BYTES } from '../netfilter/counters.ts';
import { COUNTERS, HELPER, STACK } from '../netfilter/layout.ts';
import type { Tails } from '../netfilter/tails.ts';
import { MOST_NOTES, NOTES, noteCounter } from './notes.ts';
import { jumpToStage, type StageSlot } from './stages.ts';
import { XDP } from './stub.ts';

export interface EarlyTails {
  readonly tails: Tails;
  /** Up the stack, from before the rules. */
  readonly pass: Label;
  /** Where packets go that the table accepts; absent: up the stack. */
  readonly next?: StageSlot;
}

/** `loop`: the chain loop's iterator has to be ended. */
export function emitEarlyTails(ctx: HookContext, { tails, pass, next }: EarlyTails, loop: boolean): void {
  const { out } = ctx;
  const { full } = ctx.early!;
  const endLoop: readonly CodeItem[] = loop
    ? [mov.reg(R1, R10), add.imm(R1, STACK.iterator), call.kfunc('bpf_iter_num_destroy')]
    : [];
  const [drop, some] = [out.label('drop'), out.label('some')];
  out.emit(at(tails.drop.plain), at(tails.drop.atomic));
  if (!loop) {
    // Most packets that are dropped count on one rule alone.
    out.emit(ldx.w(R2, COUNTERS, NOTES.count), jne.imm(R2, 0, some), stx.w(COUNTERS, NOTES.counters, R1));
    loadCounters(ctx, pass);
    out.emit(ldx.w(R1, COUNTERS, NOTES.counters));
    addNoted(ctx, drop);
    out.emit(ja(drop), at(some));
  }
  out.emit(...noteCounter(full), at(tails.hotdrop), ...endLoop);
  emitCommit(ctx, pass);
  out.emit(at(drop), mov.imm(R0, XDP.drop), exit());
  const accept = [tails.accept.plain, tails.accept.atomic].map(at);
  if (next !== undefined) out.emit(...accept, ...noteCounter(full), ...endLoop, ...jumpToStage(next), ja(pass));
  out.emit(
    ...(next === undefined ? accept : []),
    ...[tails.reject.plain, tails.reject.atomic].map(at),
    ...[tails.pass, tails.lost, full].map(at),
    ...endLoop,
    ja(pass),
    at(tails.abort),
    at(pass),
    mov.imm(R0, XDP.pass),
    exit(),
  );
}

/** r7 = this CPU's counters, r8 = length of the packet. Uses r0. */
function loadCounters({ out, facts, counterStride }: HookContext, pass: Label): void {
  out.emit(
    call.helper(HELPER.cpu),
    // Never true, as below: bounds for the verifier.
    jge.imm(R0, facts.possibleCpus, pass),
    mul.imm(R0, counterStride),
    lddw.mapValue(R7, MAP_NAMES.counters),
    add.reg(R7, R0),
    ldx.w(R8, COUNTERS, NOTES.length),
  );
}

/** Adds the packet to the counter at offset r1; uses r1..r3. */
function addNoted(ctx: HookContext, done: Label): void {
  ctx.out.emit(
    and.imm(R1, ~(COUNTER_BYTES - 1)),
    jgt.imm(R1, ctx.counterStride - COUNTER_BYTES, done),
    mov.reg(R3, R7),
    add.reg(R3, R1),
  );
  addPacket(ctx);
}

/** Adds the packet to every counter noted. */
function emitCommit(ctx: HookContext, pass: Label): void {
  const { out } = ctx;
  const done = out.label('counted');
  loadCounters(ctx, pass);
  for (let note = 0; note < MOST_NOTES; note++) {
    out.emit(ldx.w(R1, COUNTERS, NOTES.count), jle.imm(R1, note, done), ldx.w(R1, COUNTERS, NOTES.counters + 4 * note));
    addNoted(ctx, done);
  }
  out.emit(at(done));
}

/** One packet of r8 bytes at r3. Uses r1, r2. */
function addPacket({ out, early }: HookContext): void {
  if (early!.interrupts) {
    out.emit(mov.imm(R2, 1), atomic.add.dw(R3, 0, R2), atomic.add.dw(R3, 8, R8));
    return;
  }
  out.emit(ldx.dw(R1, R3, 0), add.imm(R1, 1), stx.dw(R3, 0, R1));
  out.emit(ldx.dw(R1, R3, 8), add.reg(R1, R8), stx.dw(R3, 8, R1));
}
