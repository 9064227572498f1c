/**
 * Going on at a place that is known by its number: by comparing when the verifier knows the number too, else through the head of
 * one loop, where all paths look the same to it.
 */

import { add, at, call, ja, jeq, jge, ldx, mov, st } from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R10 } from '../../bpf/instruction.ts';
import { isAluClass, isStore } from '../../bpf/opcodes.ts';
import type { HookContext } from './context.ts';
import { SCRATCH, STACK, slotOffset } from './layout.ts';
import type { LookupFrame } from './lookup/frame.ts';
import type { Tails } from './tails.ts';

/** A place to resume at. */
export interface Resume {
  readonly number: number;
  readonly label: Label;
}

/** More returns than any packet can make. */
const MAX_RETURNS = 1 << 20;
/** Places that are tried one after the other; more are searched by halves. */
const DISPATCH_LINEAR = 3;

/** Goes to the place whose number is in r1; places are sorted by number. */
export function dispatch(ctx: HookContext, places: readonly Resume[]): void {
  const { out } = ctx;
  if (places.length > DISPATCH_LINEAR) {
    const middle = places.length >> 1;
    const upper = out.label('upper');
    out.emit(jge.imm32(R1, places[middle]!.number, upper));
    dispatch(ctx, places.slice(0, middle));
    out.emit(at(upper));
    dispatch(ctx, places.slice(middle));
    return;
  }
  places.forEach(({ number, label }, index) => {
    out.emit(index === places.length - 1 ? ja(label) : jeq.imm32(R1, number, label));
  });
}

function iteratorInR1(): [ReturnType<typeof mov.reg>, ReturnType<typeof add.imm>] {
  return [mov.reg(R1, R10), add.imm(R1, STACK.iterator)];
}

/** Before the rules: the loop's iterator and, in `slots` return slots, something. */
export function emitLoopStart(ctx: HookContext, slots: number, frame?: LookupFrame): void {
  const { out } = ctx;
  if (frame !== undefined) out.emit(st.w(R10, frame.from, 1));
  // Whether a slot has been written must not make a difference either.
  // Where packets are suspended, those that go on have them.
  if (ctx.staged === undefined) for (let slot = 0; slot < slots; slot++) out.emit(st.w(R10, slotOffset(slot).cell, 1));
  out.emit(...iteratorInR1(), mov.imm(R2, 0), mov.imm(R3, MAX_RETURNS), call.kfunc('bpf_iter_num_new'));
}

/**
 * All paths must look the same here, or the verifier goes round once for each way in which they can differ. So what rules left on
 * the stack is made equal.
 */
export function emitLoopHead(
  ctx: HookContext,
  tails: Tails,
  head: Label,
  places: readonly Resume[],
  leftovers: readonly number[] = [],
): void {
  const { out } = ctx;
  out.emit(
    at(head),
    ...[...scratchUsed(out.code), ...leftovers].map((offset) => st.dw(R10, offset, 0)),
    ...iteratorInR1(),
    call.kfunc('bpf_iter_num_next'),
    jeq.imm(R0, 0, tails.hotdrop),
    ldx.w(R1, R10, STACK.resume),
  );
  dispatch(ctx, places);
}

/** The scratch slots that code writes, itself or through a pointer it makes. */
function scratchUsed(code: readonly CodeItem[]): readonly number[] {
  const touched = new Set<number>();
  for (const item of code) {
    if (item.kind !== 'insn') continue;
    const { opcode, dst, offset, imm } = item.insn;
    if (isStore(opcode) && dst === R10) touched.add(Math.floor(offset / 8) * 8);
    else if (isAluClass(opcode) && imm < 0) touched.add(imm);
  }
  if (touched.has(STACK.dynptr)) touched.add(STACK.dynptr + 8);
  return SCRATCH.filter((offset) => touched.has(offset));
}
