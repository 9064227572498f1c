/** Reading packets in functions: through a dynptr in the function's own frame, wherever the bytes lie. */

import { add, at, call, exit, jeq, jne, mov } from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R10 } from '../../../bpf/instruction.ts';
import type { HookContext } from '../context.ts';
import { HELPER } from '../layout.ts';

/**
 * Frame of every scan function: 64 bytes, since no more is left beside a hook program with all its return slots. A number that
 * goes through the cell, the upper half of an aligned slot, is unknown to the verifier behind it.
 */
export const FRAME = { iterator: -8, dynptr: -24, buffer: -40, second: -56, cell: -60, slot: -64 } as const;

/** How a function answers. */
export const ANSWER = { no: 0, yes: 1, evil: 2 } as const;

/** The dynptr of the packet whose sk_buff is in r1. */
export function openPacket(ctx: HookContext): void {
  ctx.out.emit(mov.imm(R2, 0), mov.reg(R3, R10), add.imm(R3, FRAME.dynptr), call.kfunc('bpf_dynptr_from_skb'));
}

/** Reads `size` bytes at the place in register `base`, plus `offset`, into the frame; jumps to `missing` if not all are there. */
export function readBytes(
  ctx: HookContext,
  read: { readonly base: number; readonly offset?: number; readonly size: number; readonly to?: number },
  missing: Label,
): void {
  const { base, offset = 0, size, to = FRAME.buffer } = read;
  ctx.out.emit(
    mov.reg(R1, R10),
    add.imm(R1, to),
    mov.imm(R2, size),
    mov.reg(R3, R10),
    add.imm(R3, FRAME.dynptr),
    mov.reg(R4, base),
    ...(offset === 0 ? [] : [add.imm(R4, offset)]),
    mov.imm(R5, 0),
    call.helper(HELPER.dynptrRead),
    jne.imm(R0, 0, missing),
  );
}

/** Begins a loop of at most `rounds`; behind it each round starts at the label. When all are over: jump to `over`. */
export function beginLoop(ctx: HookContext, rounds: number, over: Label): Label {
  const { out } = ctx;
  const head = out.label('round');
  out.emit(
    mov.reg(R1, R10),
    add.imm(R1, FRAME.iterator),
    mov.imm(R2, 0),
    mov.imm(R3, rounds),
    call.kfunc('bpf_iter_num_new'),
    at(head),
    mov.reg(R1, R10),
    add.imm(R1, FRAME.iterator),
    call.kfunc('bpf_iter_num_next'),
    jeq.imm(R0, 0, over),
  );
  return head;
}

export function endLoop(ctx: HookContext): void {
  ctx.out.emit(mov.reg(R1, R10), add.imm(R1, FRAME.iterator), call.kfunc('bpf_iter_num_destroy'));
}

/** The ends of a function: each label that is given returns its number. */
export function answers(ctx: HookContext, ends: readonly (readonly [Label, number])[]): void {
  for (const [label, answer] of ends) ctx.out.emit(at(label), mov.imm(R0, answer), exit());
}
