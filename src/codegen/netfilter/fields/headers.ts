/** Fields of the packet buffer, the hook and the IP header that have no place in a register. */

import { add, and, at, endian, jeq, jne, ldx, lsh, mov, rsh } from '../../../bpf/assembly.ts';
import { R0, R1, R2, R10 } from '../../../bpf/instruction.ts';
import { loadNotedLength, NOTES, SK_BUFF_MD } from '../../device/notes.ts';
import { loadFrameDevice, loadOutDevice } from '../../xdp/frame-device.ts';
import { castNetworkHeader, castTo, loadStatePointer } from '../cast.ts';
import { type HookContext, loadMember, loadSkb, memberPlace } from '../context.ts';
import { ADDRESSES, COUNTERS, CTX, FLOW, STACK } from '../layout.ts';

export function loadLength(ctx: HookContext): void {
  if (ctx.device !== undefined) ctx.out.emit(loadNotedLength(R1));
  else ctx.out.emit(loadSkb(ctx, R1), loadMember(ctx, R1, R1, 'sk_buff.len'));
}

export function loadMark(ctx: HookContext): void {
  if (ctx.device !== undefined) ctx.out.emit(ldx.w(R1, CTX, SK_BUFF_MD.mark));
  else if (ctx.simulatesMarks) ctx.out.emit(ldx.w(R1, R10, STACK.mark));
  else ctx.out.emit(loadSkb(ctx, R1), loadMember(ctx, R1, R1, 'sk_buff.mark'));
}

export function loadPacketType(ctx: HookContext): void {
  if (ctx.device !== undefined) {
    ctx.out.emit(ldx.w(R1, CTX, SK_BUFF_MD.packetType));
    return;
  }
  const { bitShift = 0, bitCount = 8 } = memberPlace(ctx.facts, 'sk_buff.pkt_type');
  ctx.out.emit(loadSkb(ctx, R1), loadMember(ctx, R1, R1, 'sk_buff.pkt_type'));
  if (bitShift > 0) ctx.out.emit(rsh.imm(R1, bitShift));
  ctx.out.emit(and.imm(R1, 2 ** bitCount - 1));
}

/** Eight characters of a device's name as they lie in memory. A missing device is a NULL pointer and reads as zeros. */
export function loadDeviceName(ctx: HookContext, which: 'in' | 'out', half: 'high' | 'low'): void {
  if (ctx.device !== undefined) ctx.out.emit(ldx.dw(R1, COUNTERS, NOTES.device));
  else if (ctx.early === undefined) loadStatePointer(ctx, `nf_hook_state.${which}`);
  else if (which === 'in') loadFrameDevice(ctx);
  else loadOutDevice(ctx);
  castTo(ctx, 'net_device');
  const { offset } = memberPlace(ctx.facts, 'net_device.name');
  ctx.out.emit(ldx.dw(R1, R0, offset + (half === 'high' ? 0 : 8)));
}

/** One byte of the IPv4 header. */
export function loadIpv4Byte(offset: number): (ctx: HookContext) => void {
  return (ctx) => {
    castNetworkHeader(ctx, 'iphdr');
    ctx.out.emit(ldx.b(R1, R0, offset));
  };
}

const FRAGMENT_OFFSET_BITS = 0x1fff;

/** In units of 8 bytes. */
export function loadIpv4FragmentOffset(ctx: HookContext): void {
  castNetworkHeader(ctx, 'iphdr');
  ctx.out.emit(ldx.h(R1, R0, 6), endian.toBe(16, R1), and.imm(R1, FRAGMENT_OFFSET_BITS));
}

/** From the flow word of odd packets, in bytes. */
export function loadOddIpv6FragmentOffset(ctx: HookContext): void {
  ctx.out.emit(mov.reg(R1, FLOW), and.imm(R1, FRAGMENT_OFFSET_BITS), lsh.imm(R1, 3));
}

const SKB_GSO_TCPV4 = 1 << 0;
const SKB_GSO_TCPV6 = 1 << 4;

/** iph_totlen: a total length of 0 means skb->len in a TCP aggregate too long for the field (BIG TCP). */
export function loadIpv4TotalLength(ctx: HookContext): void {
  const { out } = ctx;
  const done = out.label('totlen');
  castNetworkHeader(ctx, 'iphdr');
  out.emit(ldx.h(R1, R0, 2), endian.toBe(16, R1), jne.imm(R1, 0, done));
  if (ctx.device !== undefined) {
    // Any other packet without a total length has been dropped.
    out.emit(loadNotedLength(R1), at(done));
    return;
  }
  out.emit(
    // skb_shinfo lies at head + end.
    loadSkb(ctx, R2),
    loadMember(ctx, R1, R2, 'sk_buff.head'),
    loadMember(ctx, R2, R2, 'sk_buff.end'),
    add.reg(R1, R2),
  );
  castTo(ctx, 'skb_shared_info');
  out.emit(
    mov.imm(R1, 0),
    loadMember(ctx, R2, R0, 'skb_shared_info.gso_size'),
    jeq.imm(R2, 0, done),
    loadMember(ctx, R2, R0, 'skb_shared_info.gso_type'),
    and.imm(R2, SKB_GSO_TCPV4 | SKB_GSO_TCPV6),
    jeq.imm(R2, 0, done),
  );
  loadLength(ctx);
  out.emit(at(done));
}

export function loadIpv6HopLimit(ctx: HookContext): void {
  ctx.out.emit(ldx.b(R1, ADDRESSES, 7));
}

/** Half of an IPv6 address as it lies in memory. */
export function loadIpv6Address(ctx: HookContext, which: 'saddr' | 'daddr', half: 'high' | 'low'): void {
  ctx.out.emit(ldx.dw(R1, ADDRESSES, (which === 'saddr' ? 8 : 24) + (half === 'high' ? 0 : 8)));
}
