/** Looking for a TCP option. Rare and never hot: it is a function that reads through a dynptr, whatever the packet's shape. */

import { add, at, call, exit, ja, jeq, jge, jlt, ldx, mov, st, stx, sub } from '../../bpf/assembly.ts';
import { R0, R1, R2, R3, R4, R5, R7, R8, R9, R10 } from '../../bpf/instruction.ts';
import { NOTES } from '../device/notes.ts';
import { jumpIfCompares, type Target } from './branch.ts';
import { type BodyContext, callFunction, type HookContext, loadSkb, releaseScratch } from './context.ts';
import { loadTransportLength } from './fields/transport.ts';
import { loadField } from './fields.ts';
import { COUNTERS, CTX, HELPER, STACK, TRANSPORT_BYTES } from './layout.ts';

/** Jumps to `target` if (all option bytes lie in the packet) equals `sense`. */
export function jumpIfOptionsReadable(ctx: BodyContext, sense: boolean, target: Target): void {
  const { out } = ctx;
  loadTransportLength(ctx);
  out.emit(stx.w(R10, STACK.valueCell, R1));
  loadField(ctx, 'tcp.headerLength');
  out.emit(ldx.w(R2, R10, STACK.valueCell), sub.reg(R2, R1), mov.reg(R1, R2));
  releaseScratch(ctx, STACK.value);
  // transport.length - tcp.headerLength, as a signed number of 64 bits.
  jumpIfCompares(ctx, R1, sense ? 'le' : 'gt', 0x7fffffffffffffffn, 64, target);
}

/** Jumps to `target` if (an option of this kind is present) equals `sense`. */
export function jumpIfTcpOption(ctx: BodyContext, option: number, sense: boolean, target: Target): void {
  const { out } = ctx;
  ctx.used.add('transportOffset');
  loadField(ctx, 'tcp.headerLength');
  out.emit(
    mov.reg(R4, R1),
    ctx.device === undefined ? loadSkb(ctx, R1) : mov.reg(R1, CTX),
    mov.imm(R2, option),
    ldx.w(R3, R10, STACK.transportOffset),
    ...(ctx.device === undefined ? [] : [ldx.w(R0, COUNTERS, NOTES.place), add.reg(R3, R0)]),
    callFunction(ctx, 'tcp_option', emitTcpOption),
  );
  jumpIfCompares(ctx, R0, sense ? 'ne' : 'eq', 0n, 32, target);
}

/** Frame of the function: iterator, dynptr, two bytes read. */
const FRAME = { iterator: -8, dynptr: -24, bytes: -32 } as const;
/** More than the 40 bytes of options can ever need. */
const MAX_STEPS = 64;

/**
 * Function tcp_option(r1 skb, r2 kind, r3 place of the TCP header, r4 its length) -> r0 1 or 0: tcp_find_option of xt_tcp.
 * Kinds 0 and 1 step one byte, so does the last byte, so does a length of 0; else the option's length is the step.
 */
export function emitTcpOption(ctx: HookContext): void {
  const { out } = ctx;
  const [loop, found, none] = [out.label('loop'), out.label('found'), out.label('none')];
  out.emit(
    mov.reg(R7, R2),
    mov.reg(R8, R3),
    add.reg(R8, R4),
    mov.reg(R9, R3),
    add.imm(R9, TRANSPORT_BYTES),
    mov.imm(R2, 0),
    mov.reg(R3, R10),
    add.imm(R3, FRAME.dynptr),
    call.kfunc(ctx.device?.kind === 'xdp' ? 'bpf_dynptr_from_xdp' : 'bpf_dynptr_from_skb'),
    mov.reg(R1, R10),
    add.imm(R1, FRAME.iterator),
    mov.imm(R2, 0),
    mov.imm(R3, MAX_STEPS),
    call.kfunc('bpf_iter_num_new'),
    at(loop),
    mov.reg(R1, R10),
    add.imm(R1, FRAME.iterator),
    call.kfunc('bpf_iter_num_next'),
    jeq.imm(R0, 0, none),
    jge.reg(R9, R8, none),
  );
  readByte(ctx, R9);
  out.emit(jeq.reg(R1, R7, found), add.imm(R9, 1), jlt.imm(R1, 2, loop), jge.reg(R9, R8, loop));
  readByte(ctx, R9);
  out.emit(jeq.imm(R1, 0, loop), sub.imm(R1, 1), add.reg(R9, R1), ja(loop));
  for (const [label, answer] of [
    [none, 0],
    [found, 1],
  ] as const) {
    out.emit(
      at(label),
      mov.reg(R1, R10),
      add.imm(R1, FRAME.iterator),
      call.kfunc('bpf_iter_num_destroy'),
      mov.imm(R0, answer),
      exit(),
    );
  }
}

/** r1 = byte of the packet at the offset in `position`, 0 behind its end. */
function readByte(ctx: HookContext, position: number): void {
  ctx.out.emit(
    st.dw(R10, FRAME.bytes, 0),
    mov.reg(R1, R10),
    add.imm(R1, FRAME.bytes),
    mov.imm(R2, 1),
    mov.reg(R3, R10),
    add.imm(R3, FRAME.dynptr),
    mov.reg(R4, position),
    mov.imm(R5, 0),
    call.helper(HELPER.dynptrRead),
    ldx.b(R1, R10, FRAME.bytes),
  );
}
