/** Transport fields that have no place in the flow word of this copy of the rules. They need the header's offset. */

import { add, and, arsh, call, ldx, lsh, mov, rsh, st, sub, xor } from '../../../bpf/assembly.ts';
import { R1, R2, R3, R4, R5, R10 } from '../../../bpf/instruction.ts';
import { type HookContext, loadMember, loadSkb, releaseScratch } from '../context.ts';
import { HELPER, STACK } from '../layout.ts';

/** r1 = max(0, skb->len - offset of the transport header) */
export function loadTransportLength(ctx: HookContext): void {
  ctx.used.add('transportOffset');
  ctx.out.emit(
    loadSkb(ctx, R1),
    loadMember(ctx, R1, R1, 'sk_buff.len'),
    ldx.w(R2, R10, STACK.transportOffset),
    sub.reg(R1, R2),
    // The sign, spread over all bits and turned round, clears a negative number.
    mov.reg(R2, R1),
    arsh.imm(R2, 63),
    xor.imm(R2, -1),
    and.reg(R1, R2),
  );
}

/** r1 = byte `offset` of the transport header, 0 behind the packet's end; works on any packet. */
function loadTransportByte(ctx: HookContext, offset: number): void {
  ctx.used.add('transportOffset');
  ctx.out.emit(
    loadSkb(ctx, R1),
    mov.imm(R2, 0),
    mov.reg(R3, R10),
    add.imm(R3, STACK.dynptr),
    call.kfunc('bpf_dynptr_from_skb'),
    st.dw(R10, STACK.buffer, 0),
    mov.reg(R1, R10),
    add.imm(R1, STACK.buffer),
    mov.imm(R2, 1),
    mov.reg(R3, R10),
    add.imm(R3, STACK.dynptr),
    ldx.w(R4, R10, STACK.transportOffset),
    add.imm(R4, offset),
    mov.imm(R5, 0),
    call.helper(HELPER.dynptrRead),
    ldx.b(R1, R10, STACK.buffer),
  );
  releaseScratch(ctx, STACK.dynptr, STACK.dynptr + 8, STACK.buffer);
}

export function loadTcpFlags(ctx: HookContext): void {
  loadTransportByte(ctx, 13);
}

/** Data offset in bytes. */
export function loadTcpHeaderLength(ctx: HookContext): void {
  loadTransportByte(ctx, 12);
  ctx.out.emit(rsh.imm(R1, 4), lsh.imm(R1, 2));
}
