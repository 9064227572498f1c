/** Fields of the packet's conntrack entry. Without an entry the cast pointer reads zeros, which is what the fields say. */

import { and, at, call, div, endian, jeq, jsge, ldx, mov, st, stx, sub } from '../../../bpf/assembly.ts';
import { R0, R1, R10 } from '../../../bpf/instruction.ts';
import { NOTES } from '../../device/notes.ts';
import { type HookContext, loadMember, loadSkb, memberPlace } from '../context.ts';
import { COUNTERS, HELPER, STACK } from '../layout.ts';
import { castBytes } from './address.ts';
import { makeBoolean } from './boolean.ts';

const INFO_MASK = 7;

/** r1 = skb->_nfct: address of the entry and, in the low three bits, enum ip_conntrack_info. */
function loadNfct(ctx: HookContext): void {
  if (ctx.device !== undefined) ctx.out.emit(ldx.dw(R1, COUNTERS, NOTES.entry));
  else ctx.out.emit(loadSkb(ctx, R1), loadMember(ctx, R1, R1, 'sk_buff._nfct'));
}

function loadAddress(ctx: HookContext): void {
  loadNfct(ctx);
  ctx.out.emit(and.imm(R1, ~INFO_MASK));
}

/**
 * r0 = bytes of the entry from `offset` on. As bytes, because where nf_conntrack is a module its structures are not among the types of
 * vmlinux, to which alone an address can be cast.
 */
function castEntry(ctx: HookContext, offset: number): void {
  loadAddress(ctx);
  castBytes(ctx, offset);
}

export function loadCtInfo(ctx: HookContext): void {
  loadNfct(ctx);
  ctx.out.emit(and.imm(R1, INFO_MASK));
}

export function loadCtPresent(ctx: HookContext): void {
  loadAddress(ctx);
  makeBoolean(ctx);
}

export function loadCtMark(ctx: HookContext): void {
  castEntry(ctx, memberPlace(ctx.facts, 'nf_conn.mark').offset);
  ctx.out.emit(ldx.w(R1, R0, 0));
}

/** ct->status is an unsigned long of which only the lower half is in use. */
export function loadCtStatus(ctx: HookContext): void {
  castEntry(ctx, memberPlace(ctx.facts, 'nf_conn.status').offset);
  ctx.out.emit(ldx.w(R1, R0, 0));
}

/** nf_ct_expires(ct) / HZ: whole seconds from now to ct->timeout, both 32-bit jiffies; not below 0, and 0 without an entry. */
export function loadCtExpires(ctx: HookContext): void {
  const { out } = ctx;
  const [future, done] = [out.label('future'), out.label('expires')];
  loadAddress(ctx);
  out.emit(jeq.imm(R1, 0, done));
  castBytes(ctx, memberPlace(ctx.facts, 'nf_conn.timeout').offset);
  out.emit(
    ldx.w(R1, R0, 0),
    stx.w(R10, STACK.valueCell, R1),
    call.helper(HELPER.jiffies),
    ldx.w(R1, R10, STACK.valueCell),
    st.dw(R10, STACK.value, 0),
    sub.reg32(R1, R0),
    jsge.imm32(R1, 0, future),
    mov.imm(R1, 0),
    at(future),
    div.imm32(R1, ctx.facts.hz),
    at(done),
  );
}

/** Where things lie in a tuple, from its `src` or `dst` on (struct nf_conntrack_man and the unnamed struct of dst). */
const TUPLE_END = { address: 0, port: 16, protocol: 18 } as const;

/** One end of a tuple of struct nf_conn. */
export interface TupleEnd {
  readonly direction: 'original' | 'reply';
  readonly end: 'src' | 'dst';
}

function tupleEnd(ctx: HookContext, { direction, end }: TupleEnd): number {
  const hashes = memberPlace(ctx.facts, 'nf_conn.tuplehash');
  const tuple = memberPlace(ctx.facts, 'nf_conntrack_tuple_hash.tuple');
  const index = direction === 'original' ? 0 : 1;
  return (
    hashes.offset +
    index * (hashes.size / 2) +
    tuple.offset +
    memberPlace(ctx.facts, `nf_conntrack_tuple.${end}`).offset
  );
}

export function loadCtPort(place: TupleEnd): (ctx: HookContext) => void {
  return (ctx) => {
    castEntry(ctx, tupleEnd(ctx, place) + TUPLE_END.port);
    ctx.out.emit(ldx.h(R1, R0, 0), endian.toBe(16, R1));
  };
}

export function loadCtProtocol(ctx: HookContext): void {
  castEntry(ctx, tupleEnd(ctx, { direction: 'original', end: 'dst' }) + TUPLE_END.protocol);
  ctx.out.emit(ldx.b(R1, R0, 0));
}

/** Half of an address as it lies in memory; for IPv4 the whole address, in host order. */
export function loadCtAddress(ctx: HookContext, place: TupleEnd, half: 'high' | 'low'): void {
  castEntry(ctx, tupleEnd(ctx, place) + TUPLE_END.address);
  if (ctx.family === 'ipv4') ctx.out.emit(ldx.w(R1, R0, 0), endian.toBe(32, R1));
  else ctx.out.emit(ldx.dw(R1, R0, half === 'high' ? 0 : 8));
}
