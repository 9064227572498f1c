/** Fields of the packet's conntrack entry. Without an entry the cast pointer reads zeros, which is what the fields say. */

import { and, at, call, div, endian, jeq, jsge, ldx, mov, st, stx, sub } from '../../../bpf/assembly.ts';
import { R0, R1, R10 } from '../../../bpf/instruction.ts';
import { castTo } from '../cast.ts';
import { type HookContext, loadMember, loadSkb, memberPlace } from '../context.ts';
import { HELPER, STACK } from '../layout.ts';
import { makeBoolean } from './boolean.ts';

const INFO_MASK = 7;

/** r1 = skb->_nfct: address of the entry and, in the low three bits, enum ip_conntrack_info. */
function loadNfct(ctx: HookContext): void {
  ctx.out.emit(loadSkb(ctx, R1), loadMember(ctx, R1, R1, 'sk_buff._nfct'));
}

function loadAddress(ctx: HookContext): void {
  loadNfct(ctx);
  ctx.out.emit(and.imm(R1, ~INFO_MASK));
}

/** r0 = the entry. */
function castEntry(ctx: HookContext): void {
  loadAddress(ctx);
  castTo(ctx, 'nf_conn');
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
  castEntry(ctx);
  ctx.out.emit(loadMember(ctx, R1, R0, 'nf_conn.mark'));
}

/** ct->status is an unsigned long of which only the lower half is in use. */
export function loadCtStatus(ctx: HookContext): void {
  castEntry(ctx);
  ctx.out.emit(ldx.w(R1, R0, memberPlace(ctx.facts, 'nf_conn.status').offset));
}

/** nf_ct_expires(ct) / HZ: whole seconds from now to ct->timeout, both 32-bit jiffies; not below 0, and 0 without an entry. */
export function loadCtExpires(ctx: HookContext): void {
  const { out } = ctx;
  const [future, done] = [out.label('future'), out.label('expires')];
  loadAddress(ctx);
  out.emit(jeq.imm(R1, 0, done));
  castTo(ctx, 'nf_conn');
  out.emit(
    loadMember(ctx, R1, R0, 'nf_conn.timeout'),
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
    castEntry(ctx);
    ctx.out.emit(ldx.h(R1, R0, tupleEnd(ctx, place) + TUPLE_END.port), endian.toBe(16, R1));
  };
}

export function loadCtProtocol(ctx: HookContext): void {
  castEntry(ctx);
  ctx.out.emit(ldx.b(R1, R0, tupleEnd(ctx, { direction: 'original', end: 'dst' }) + TUPLE_END.protocol));
}

/** Half of an address as it lies in memory; for IPv4 the whole address, in host order. */
export function loadCtAddress(ctx: HookContext, place: TupleEnd, half: 'high' | 'low'): void {
  castEntry(ctx);
  const offset = tupleEnd(ctx, place) + TUPLE_END.address;
  if (ctx.family === 'ipv4') ctx.out.emit(ldx.w(R1, R0, offset), endian.toBe(32, R1));
  else ctx.out.emit(ldx.dw(R1, R0, offset + (half === 'high' ? 0 : 8)));
}
