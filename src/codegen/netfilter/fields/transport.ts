/** Transport fields that have no place in the flow word of this copy of the rules. They need the header's offset. */

import { add, and, arsh, ldx, lsh, mov, rsh, sub, xor } from '../../../bpf/assembly.ts';
import { R0, R1, R2, R10 } from '../../../bpf/instruction.ts';
import { loadNotedLength } from '../../device/notes.ts';
import { NOTES } from '../../xdp/notes.ts';
import { type HookContext, loadMember, loadSkb } from '../context.ts';
import { COUNTERS, STACK } from '../layout.ts';
import { callReadBytes } from '../payload.ts';

/** r1 = max(0, skb->len - offset of the transport header) */
export function loadTransportLength(ctx: HookContext): void {
  if (ctx.early !== undefined) {
    // Its packets have headers without options.
    ctx.out.emit(ldx.w(R1, COUNTERS, NOTES.length), sub.imm(R1, ctx.family === 'ipv4' ? 20 : 40));
    return;
  }
  ctx.used.add('transportOffset');
  if (ctx.device !== undefined) ctx.out.emit(loadNotedLength(R1));
  else ctx.out.emit(loadSkb(ctx, R1), loadMember(ctx, R1, R1, 'sk_buff.len'));
  ctx.out.emit(
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
  ctx.out.emit(ldx.w(R2, R10, STACK.transportOffset), add.imm(R2, offset), ...callReadBytes(ctx, 8), mov.reg32(R1, R0));
}

export function loadTcpFlags(ctx: HookContext): void {
  loadTransportByte(ctx, 13);
}

/** Data offset in bytes. */
export function loadTcpHeaderLength(ctx: HookContext): void {
  loadTransportByte(ctx, 12);
  ctx.out.emit(rsh.imm(R1, 4), lsh.imm(R1, 2));
}
