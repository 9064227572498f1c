/** The Ethernet header in front of the packet, where xt_mac would accept one. */

import {
  add,
  and,
  at,
  endian,
  ja,
  jeq,
  jne,
  jsgt,
  lddw,
  ldx,
  lsh,
  mov,
  or,
  rsh,
  stx,
  sub,
  xor,
} from '../../../bpf/assembly.ts';
import type { CodeItem } from '../../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R10 } from '../../../bpf/instruction.ts';
import { NOTES } from '../../device/notes.ts';
import { castNetworkHeader, castTo, loadSkbPointer } from '../cast.ts';
import { type HookContext, loadMember, loadSkb, releaseScratch } from '../context.ts';
import { COUNTERS, STACK } from '../layout.ts';

const ARPHRD_ETHER = 1;
const ETH_HLEN = 14;
/** Offset of h_source in struct ethhdr. */
const SOURCE = 6;
const PROTOCOL = 12;
const ETH_P_IPV6 = 0x86dd;
/** The interface identifier in the source address of struct ipv6hdr. */
const LOWER_SOURCE = 16;

/** Before a program on a device: to `none` unless the device is an Ethernet and the notes have its frame's header. */
function unlessNoted(ctx: HookContext, none: string): void {
  const { out } = ctx;
  out.emit(ldx.dw(R1, COUNTERS, NOTES.device));
  castTo(ctx, 'net_device');
  out.emit(
    loadMember(ctx, R1, R0, 'net_device.type'),
    jne.imm(R1, ARPHRD_ETHER, none),
    ldx.h(R1, COUNTERS, NOTES.frame + PROTOCOL),
    jeq.imm(R1, 0, none),
  );
}

/** r1 = address of the MAC header; jump to `none` if 14 bytes do not fit before the data, to `other` if the device is no Ethernet. */
function loadMacHeader(ctx: HookContext, none: string, other = none): void {
  const { out } = ctx;
  loadSkbPointer(ctx, 'sk_buff.dev');
  out.emit(jeq.imm(R1, 0, other));
  castTo(ctx, 'net_device');
  out.emit(
    loadMember(ctx, R1, R0, 'net_device.type'),
    jne.imm(R1, ARPHRD_ETHER, other),
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
  if (ctx.device === undefined) loadMacHeader(ctx, none);
  else unlessNoted(ctx, none);
  out.emit(mov.imm(R1, 1), ja(done), at(none), mov.imm(R1, 0), at(done));
}

/** 48 bits, first byte on top. */
export function loadMacSource(ctx: HookContext): void {
  const { out } = ctx;
  const [none, done] = [out.label('nomac'), out.label('mac')];
  if (ctx.device === undefined) {
    loadMacHeader(ctx, none);
    castTo(ctx, 'ethhdr');
  } else {
    unlessNoted(ctx, none);
    out.emit(mov.reg(R0, COUNTERS), add.imm(R0, NOTES.frame));
  }
  out.emit(...sourceOfHeader(), ja(done), at(none), mov.imm(R1, 0), at(done));
}

/** r1 = the source address of the Ethernet header at r0; uses r2. */
function sourceOfHeader(): readonly CodeItem[] {
  return [
    ldx.w(R1, R0, SOURCE),
    ldx.h(R2, R0, SOURCE + 4),
    lsh.imm(R2, 32),
    or.reg(R1, R2),
    endian.toBe(64, R1),
    rsh.imm(R1, 16),
  ];
}

/** The field mac.eui64 (eui64_mt6 of Linux 6.18); uses a scratch slot that is zero. */
export function loadMacEui64(ctx: HookContext): void {
  const { out } = ctx;
  const [evil, no, done] = [out.label('noeui64mac'), out.label('noeui64'), out.label('eui64')];
  loadMacHeader(ctx, evil, no);
  castTo(ctx, 'ethhdr');
  out.emit(
    ldx.h(R2, R0, PROTOCOL),
    endian.toBe(16, R2),
    jne.imm(R2, ETH_P_IPV6, no),
    ...sourceOfHeader(),
    // Three bytes, ff fe, three bytes; the universal bit turned over.
    mov.reg(R2, R1),
    rsh.imm(R2, 24),
    lsh.imm(R2, 40),
    and.imm(R1, 0xffffff),
    or.reg(R1, R2),
    lddw.imm(R2, 0x0200_00ff_fe00_0000n),
    xor.reg(R1, R2),
    endian.toBe(64, R1),
    stx.dw(R10, STACK.key, R1),
  );
  castNetworkHeader(ctx, 'ipv6hdr');
  out.emit(ldx.b(R2, R0, 0), ldx.dw(R1, R0, LOWER_SOURCE), ldx.dw(R3, R10, STACK.key));
  releaseScratch(ctx, STACK.key);
  out.emit(
    and.imm(R2, 0xf0),
    jne.imm(R2, 0x60, no),
    jne.reg(R1, R3, no),
    mov.imm(R1, 1),
    ja(done),
    at(evil),
    mov.imm(R1, 2),
    ja(done),
    at(no),
    mov.imm(R1, 0),
    at(done),
  );
}
