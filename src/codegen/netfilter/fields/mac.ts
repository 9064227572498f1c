/** The Ethernet header in front of the packet, where xt_mac would accept one. */

import { add, at, endian, ja, jeq, jne, jsgt, ldx, lsh, mov, or, rsh, sub } from '../../../bpf/assembly.ts';
import { R0, R1, R2, R3, R4 } from '../../../bpf/instruction.ts';
import { castTo, loadSkbPointer } from '../cast.ts';
import { type HookContext, loadMember, loadSkb } from '../context.ts';

const ARPHRD_ETHER = 1;
const ETH_HLEN = 14;
/** Offset of h_source in struct ethhdr. */
const SOURCE = 6;

/** r1 = address of the MAC header; jump to `none` if the device is no Ethernet or 14 bytes do not fit before the data. */
function loadMacHeader(ctx: HookContext, none: string): void {
  const { out } = ctx;
  loadSkbPointer(ctx, 'sk_buff.dev');
  out.emit(jeq.imm(R1, 0, none));
  castTo(ctx, 'net_device');
  out.emit(
    loadMember(ctx, R1, R0, 'net_device.type'),
    jne.imm(R1, ARPHRD_ETHER, none),
    loadSkb(ctx, R2),
    loadMember(ctx, R1, R2, 'sk_buff.head'),
    loadMember(ctx, R3, R2, 'sk_buff.mac_header'),
    add.reg(R1, R3),
    // A header that is not set has the place 0xffff: far behind the data.
    loadMember(ctx, R4, R2, 'sk_buff.data'),
    mov.reg(R3, R1),
    sub.reg(R3, R4),
    jsgt.imm(R3, -ETH_HLEN, none),
  );
}

export function loadMacPresent(ctx: HookContext): void {
  const { out } = ctx;
  const [none, done] = [out.label('nomac'), out.label('mac')];
  loadMacHeader(ctx, none);
  out.emit(mov.imm(R1, 1), ja(done), at(none), mov.imm(R1, 0), at(done));
}

/** 48 bits, first byte on top. */
export function loadMacSource(ctx: HookContext): void {
  const { out } = ctx;
  const [none, done] = [out.label('nomac'), out.label('mac')];
  loadMacHeader(ctx, none);
  castTo(ctx, 'ethhdr');
  out.emit(
    ldx.w(R1, R0, SOURCE),
    ldx.h(R2, R0, SOURCE + 4),
    lsh.imm(R2, 32),
    or.reg(R1, R2),
    endian.toBe(64, R1),
    rsh.imm(R1, 16),
    ja(done),
    at(none),
    mov.imm(R1, 0),
    at(done),
  );
}
