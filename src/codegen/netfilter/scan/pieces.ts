/**
 * The pieces in which the kernel holds a packet, in the order of skb_seq_read: the linear part, the page fragments, and the same of
 * each sk_buff in the list of fragments.
 */

import { add, at, ja, jeq, jge, jne, ldx, mov, mul, stx, sub } from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import type { NeededMember } from '../../../bpf/facts.ts';
import { R0, R1, R2, R3, R10 } from '../../../bpf/instruction.ts';
import { BYTES, castTo } from '../cast.ts';
import { type HookContext, loadMember, memberPlace } from '../context.ts';

/**
 * Frame: address of the sk_buff in the list of fragments (0: the packet's own), of the shared info of the one that is at hand, how many of its
 * fragments were passed, and where the current piece ends.
 */
const FRAME = { listed: -80, info: -88, passed: -92, end: -100 } as const;

/** end = end of the linear part of the sk_buff in r1, which stays there. Uses r2. */
export function emitFirstPiece(ctx: HookContext, end: number): void {
  ctx.out.emit(
    loadMember(ctx, end, R1, 'sk_buff.len'),
    loadMember(ctx, R2, R1, 'sk_buff.data_len'),
    sub.reg(end, R2),
    stx.w(R10, FRAME.end, end),
    ldx.w(end, R10, FRAME.end),
    loadMember(ctx, R2, R1, 'sk_buff.head'),
    loadMember(ctx, R0, R1, 'sk_buff.end'),
    add.reg(R2, R0),
    stx.dw(R10, FRAME.info, R2),
    // Zeros that the verifier does not know: it would go round the loop once for what is known at first, and again without.
    sub.reg(R2, R2),
    stx.dw(R10, FRAME.listed, R2),
    stx.w(R10, FRAME.passed, R2),
  );
}

/**
 * end, place = end and beginning of the next piece, the beginning not before `from`; jumps to `over` when there is none, or when it begins
 * behind `to`. Uses r0..r5.
 */
export function emitNextPiece(
  ctx: HookContext,
  search: {
    readonly end: number;
    readonly place: number;
    readonly from: number;
    readonly to: number;
    readonly over: Label;
  },
): void {
  const { out } = ctx;
  const { end, place, from, to, over } = search;
  const [inside, list, following, listed, done] = ['inside', 'list', 'following', 'listed', 'piece'].map((hint) =>
    out.label(hint),
  ) as [Label, Label, Label, Label, Label];
  out.emit(
    ldx.w(place, R10, FRAME.end),
    jge.imm(place, to, over),
    jge.imm(place, from, inside),
    mov.imm(place, from),
    at(inside),
    ldx.dw(R1, R10, FRAME.info),
    add.imm(R1, offsetOf(ctx, 'skb_shared_info.nr_frags')),
  );
  castTo(ctx, BYTES);
  out.emit(
    ldx.b(R3, R0, 0),
    ldx.w(R2, R10, FRAME.passed),
    jge.reg(R2, R3, list),
    ldx.dw(R1, R10, FRAME.info),
    add.imm(R1, offsetOf(ctx, 'skb_shared_info.frags') + offsetOf(ctx, 'skb_frag.len')),
    mov.reg(R3, R2),
    mul.imm(R3, fragmentSize(ctx)),
    add.reg(R1, R3),
    add.imm(R2, 1),
    stx.w(R10, FRAME.passed, R2),
  );
  castTo(ctx, BYTES);
  out.emit(ldx.w(R3, R0, 0), ja(done), at(list), ldx.dw(R1, R10, FRAME.listed), jne.imm(R1, 0, following));
  out.emit(ldx.dw(R1, R10, FRAME.info), add.imm(R1, offsetOf(ctx, 'skb_shared_info.frag_list')), ja(listed));
  out.emit(at(following), add.imm(R1, offsetOf(ctx, 'sk_buff.next')), at(listed));
  castTo(ctx, BYTES);
  out.emit(
    ldx.dw(R1, R0, 0),
    jeq.imm(R1, 0, over),
    stx.dw(R10, FRAME.listed, R1),
    mov.reg(R2, R1),
    sub.reg(R2, R2),
    stx.w(R10, FRAME.passed, R2),
  );
  castTo(ctx, 'sk_buff');
  out.emit(
    loadMember(ctx, R2, R0, 'sk_buff.head'),
    loadMember(ctx, R1, R0, 'sk_buff.end'),
    add.reg(R2, R1),
    stx.dw(R10, FRAME.info, R2),
    loadMember(ctx, R3, R0, 'sk_buff.len'),
    loadMember(ctx, R2, R0, 'sk_buff.data_len'),
    sub.reg(R3, R2),
    at(done),
    ldx.w(end, R10, FRAME.end),
    add.reg(end, R3),
    stx.w(R10, FRAME.end, end),
  );
}

function offsetOf(ctx: HookContext, name: NeededMember): number {
  return memberPlace(ctx.facts, name).offset;
}

/** sizeof(skb_frag_t): `offset` is its last member. */
function fragmentSize(ctx: HookContext): number {
  const last = memberPlace(ctx.facts, 'skb_frag.offset');
  return last.offset + last.size;
}
