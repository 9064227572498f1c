/** Pointers made from addresses. */

import { call, movStructId } from '../../bpf/assembly.ts';
import { R1, R2 } from '../../bpf/instruction.ts';
import { type HookContext, loadMember, loadSkb } from './context.ts';

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
  ctx.out.emit(loadSkb(ctx, R1), loadMember(ctx, R1, R1, 'sk_buff.data'));
  castTo(ctx, name);
}
