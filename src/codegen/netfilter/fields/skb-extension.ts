/** Extensions of an sk_buff (struct skb_ext): the bridge's notes, the security path. */

import { add, and, at, exit, jeq, ldx, lsh, mov, rsh } from '../../../bpf/assembly.ts';
import type { Enumerator } from '../../../bpf/environment-members.ts';
import { R0, R1, R2, R6, R7 } from '../../../bpf/instruction.ts';
import { callFunction, enumeratorOf, type HookContext, loadMember, loadSkb, memberPlace } from '../context.ts';
import { castBytes, followPointer } from './address.ts';

/** The place of an extension is kept in units of 8 bytes (SKB_EXT_ALIGN_VALUE). */
const PLACE_SHIFT = 3;

/** Function skb_extension(r1 skb, r2 number of the extension) -> r0 its address or 0: skb_ext_find. */
function emitSkbExtension(ctx: HookContext): void {
  const none = ctx.out.label('noext');
  ctx.out.emit(
    mov.reg(R6, R2),
    loadMember(ctx, R2, R1, 'sk_buff.active_extensions'),
    rsh.reg(R2, R6),
    and.imm(R2, 1),
    jeq.imm(R2, 0, none),
  );
  followPointer(ctx, memberPlace(ctx.facts, 'sk_buff.extensions').offset);
  ctx.out.emit(mov.reg(R7, R1), add.reg(R1, R6));
  castBytes(ctx, memberPlace(ctx.facts, 'skb_ext.offset').offset);
  ctx.out.emit(ldx.b(R0, R0, 0), lsh.imm(R0, PLACE_SHIFT), add.reg(R0, R7), exit(), at(none), mov.imm(R0, 0), exit());
}

/** r1 = address of an extension of the packet, or 0. */
export function loadSkbExtension(ctx: HookContext, id: Enumerator): void {
  ctx.out.emit(
    loadSkb(ctx, R1),
    mov.imm(R2, enumeratorOf(ctx.facts, id)),
    callFunction(ctx, 'skb_extension', emitSkbExtension),
    mov.reg(R1, R0),
  );
}
