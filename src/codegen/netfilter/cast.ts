/** Pointers made from addresses. */

import { call, ldx, movStructId } from '../../bpf/assembly.ts';
import type { NeededMember } from '../../bpf/facts.ts';
import { R0, R1, R2 } from '../../bpf/instruction.ts';
import { notedHeader } from '../device/notes.ts';
import { NOTES } from '../xdp/notes.ts';
import { type HookContext, loadMember, loadSkb, loadState } from './context.ts';
import { COUNTERS } from './layout.ts';

/**
 * r0 = the address in r1 as a read-only `struct name` of the kernel; uses r1..r5. Loads through it are fault-tolerant: what
 * cannot be read is zero. They may not cross the end of a member, so bytes are read as a structure that is one array.
 */
export function castTo(ctx: HookContext, name: string): void {
  ctx.out.emit(movStructId(R2, name), call.kfunc('bpf_rdonly_cast'));
}

/** A structure of 16 bytes without inner borders, for reading any bytes. */
export const BYTES = 'in6_addr';

/** r0 = the network header. It is always linear: the kernel itself reads it directly. */
export function castNetworkHeader(ctx: HookContext, name: 'iphdr' | 'ipv6hdr' | typeof BYTES): void {
  if (ctx.device !== undefined) {
    ctx.out.emit(...notedHeader());
    return;
  }
  if (ctx.early === undefined) ctx.out.emit(loadSkb(ctx, R1), loadMember(ctx, R1, R1, 'sk_buff.data'));
  else ctx.out.emit(ldx.dw(R1, COUNTERS, NOTES.header));
  castTo(ctx, name);
}

/**
 * r1 = a pointer member of skb or state, through a cast: for every pointer it reads from a pointer that it trusts, the
 * verifier searches all type names of the kernel (2.6 ms each on 6.18).
 */
export function loadSkbPointer(ctx: HookContext, name: NeededMember & `sk_buff.${string}`): void {
  ctx.out.emit(loadSkb(ctx, R1));
  castTo(ctx, 'sk_buff');
  ctx.out.emit(loadMember(ctx, R1, R0, name));
}

/** The same for struct nf_hook_state. */
export function loadStatePointer(ctx: HookContext, name: NeededMember & `nf_hook_state.${string}`): void {
  ctx.out.emit(loadState(ctx, R1));
  castTo(ctx, 'nf_hook_state');
  ctx.out.emit(loadMember(ctx, R1, R0, name));
}
