/**
 * The beginning of an early program: whether the stack would take the frame for a well-formed packet without options, fragments or
 * extension headers, and the registers of the rules (netfilter/layout.ts). Whatever is doubtful goes to `pass`.
 *
 * The tests are those of ip_rcv_core and ip6_rcv_core, or stricter. The program on the device (stub.ts) has looked at the
 * Ethernet header.
 */

import {
  add,
  and,
  at,
  call,
  endian,
  ja,
  jeq,
  jge,
  jgt,
  jlt,
  jne,
  jset,
  jsgt,
  lddw,
  ldx,
  lsh,
  mov,
  mul,
  rsh,
  st,
  stx,
  sub,
} from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R10 } from '../../bpf/instruction.ts';
import { EARLY_PACKETS, type EarlyPackets, ORDINARY_BYTES } from '../../early/knowledge.ts';
import type { FieldName } from '../../policy/fields.ts';
import { castTo } from '../netfilter/cast.ts';
import type { HookContext } from '../netfilter/context.ts';
import { ADDRESSES, COUNTERS, CTX, FLOW, HELPER, STACK } from '../netfilter/layout.ts';
import { forget, jumpIfExtensionHeader, packNormal, packOdd } from '../netfilter/prologue.ts';
import { NOTES, NOTES_MAP } from './notes.ts';
import { ETHERNET_BYTES, XDP_MD } from './stub.ts';

export interface EarlyTargets {
  readonly pass: Label;
  readonly ordinary: Label;
  readonly short: Label;
}

const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const TCP = 6;
/** Byte offsets in the TCP header, and flags. */
const TCP_OFFSET = 12;
const TCP_FLAGS = 13;
const SYN_RST = 0x06;
const HELPERS = { frameLength: 188, loadBytes: 189 } as const;
/** Where the length and the address of the IP header are kept until there are notes. */
const LENGTH = STACK.value;
const HEADER = STACK.dynptr;

/** r2 = frame, r3 = its end, as packet pointers. */
function loadFrame(ctx: HookContext): void {
  ctx.out.emit(ldx.w(R2, CTX, XDP_MD.data), ldx.w(R3, CTX, XDP_MD.dataEnd));
}

/** Jumps to `label` unless `bytes` of the frame at r2 are there. Uses r4. */
function unlessThere(ctx: HookContext, bytes: number, label: Label): void {
  ctx.out.emit(mov.reg(R4, R2), add.imm(R4, bytes), jgt.reg(R4, R3, label));
}

export function emitEarlyPrologue(ctx: HookContext, fields: ReadonlySet<FieldName>, targets: EarlyTargets): void {
  const { out, family } = ctx;
  const header = family === 'ipv4' ? IPV4_HEADER : IPV6_HEADER;
  out.emit(mov.reg(CTX, R1), mov.imm(ADDRESSES, 0), mov.imm(FLOW, 0));
  loadFrame(ctx);
  unlessThere(ctx, ETHERNET_BYTES + header, targets.pass);
  if (family === 'ipv4') checkIpv4(ctx, targets.pass);
  else checkIpv6(ctx, targets.pass);
  // r5 length, r9 protocol
  out.emit(mov.reg(R1, R2), add.imm(R1, ETHERNET_BYTES), stx.dw(R10, HEADER, R1), stx.dw(R10, LENGTH, R5));
  checkFrameLength(ctx, targets.pass);
  loadAddresses(ctx);
  const short = out.label('short');
  out.emit(ldx.dw(R5, R10, LENGTH), jlt.imm(R5, header + ORDINARY_BYTES, short));
  loadFrame(ctx);
  unlessThere(ctx, ETHERNET_BYTES + header + ORDINARY_BYTES, targets.pass);
  unlessMerged(ctx, header, targets.pass);
  packNormal(ctx, fields, R2, ETHERNET_BYTES + header);
  out.emit(ja(targets.ordinary), at(short), jeq.imm(COUNTERS, TCP, targets.pass));
  copyShort(ctx, header, targets.pass);
  packOdd(ctx);
  forget(ctx);
  out.emit(ja(targets.short));
}

/** r5 = length, r9 = protocol. Uses r0, r1, r4. */
function checkIpv4(ctx: HookContext, pass: Label): void {
  const { out } = ctx;
  const at14 = ETHERNET_BYTES;
  out.emit(
    ldx.b(R1, R2, at14),
    jne.imm(R1, 0x45, pass),
    // More fragments, or an offset.
    ldx.h(R1, R2, at14 + 6),
    endian.toBe(16, R1),
    jset.imm(R1, 0x3fff, pass),
    // The checksum: all 32-bit words, folded to 16 bits.
    mov.imm(R0, 0),
  );
  for (let word = 0; word < IPV4_HEADER; word += 4) out.emit(ldx.w(R1, R2, at14 + word), add.reg(R0, R1));
  for (const shift of [32, 16, 16]) {
    out.emit(mov.reg(R1, R0), rsh.imm(R1, shift));
    if (shift === 32) out.emit(mov.reg32(R0, R0));
    else out.emit(and.imm(R0, 0xffff));
    out.emit(add.reg(R0, R1));
  }
  out.emit(
    // What is left of a sum of 33 bits after one fold to 16.
    mov.reg(R1, R0),
    rsh.imm(R1, 16),
    and.imm(R0, 0xffff),
    add.reg(R0, R1),
    jne.imm(R0, 0xffff, pass),
    ldx.h(R5, R2, at14 + 2),
    endian.toBe(16, R5),
    ldx.b(COUNTERS, R2, at14 + 9),
  );
}

/** r5 = length, r9 = protocol. Uses r1, r4. */
function checkIpv6(ctx: HookContext, pass: Label): void {
  const { out } = ctx;
  const at14 = ETHERNET_BYTES;
  out.emit(
    ldx.b(R1, R2, at14),
    rsh.imm(R1, 4),
    jne.imm(R1, 6, pass),
    // Sources and destinations that ip6_rcv_core may refuse: multicast, loopback, mapped.
    ldx.b(R1, R2, at14 + 8),
    jeq.imm(R1, 0xff, pass),
    ldx.b(R1, R2, at14 + 24),
    jeq.imm(R1, 0xff, pass),
    ldx.dw(R1, R2, at14 + 8),
    jeq.imm(R1, 0, pass),
    ldx.dw(R1, R2, at14 + 24),
    jeq.imm(R1, 0, pass),
    ldx.h(R5, R2, at14 + 4),
    endian.toBe(16, R5),
    // 0 in a jumbogram, which has an extension header.
    add.imm(R5, IPV6_HEADER),
    ldx.b(COUNTERS, R2, at14 + 6),
    ldx.b(R4, R2, at14 + 6),
    mov.reg(R0, R2),
  );
  // Uses r1 and r2.
  jumpIfExtensionHeader(ctx, R4, pass);
  out.emit(mov.reg(R2, R0));
}

/** The packet lies within the frame, which may be in several pieces. Uses r0..r5. */
function checkFrameLength(ctx: HookContext, pass: Label): void {
  const linear = ctx.out.label('linear');
  loadFrame(ctx);
  ctx.out.emit(
    sub.reg(R3, R2),
    sub.imm(R3, ETHERNET_BYTES),
    jge.reg(R3, R5, linear),
    mov.reg(R1, CTX),
    call.helper(HELPERS.frameLength),
    sub.imm(R0, ETHERNET_BYTES),
    ldx.dw(R5, R10, LENGTH),
    jgt.reg(R5, R0, pass),
    at(linear),
  );
}

/** r7 as the rules want it. Uses r0..r5. */
function loadAddresses(ctx: HookContext): void {
  const { out } = ctx;
  out.emit(ldx.dw(R1, R10, HEADER));
  if (ctx.family === 'ipv6') {
    castTo(ctx, 'ipv6hdr');
    out.emit(mov.reg(ADDRESSES, R0));
  } else out.emit(ldx.dw(ADDRESSES, R1, 12), endian.toBe(64, ADDRESSES));
}

/**
 * TCP segments with payload can be merged with their neighbours (tcp_gro_receive) before any table sees them, and then count once. Not
 * those with SYN or RST, nor empty ones. r2 frame, r5 length, r9 protocol; uses r1, r4, r5.
 */
function unlessMerged(ctx: HookContext, header: number, pass: Label): void {
  const { out } = ctx;
  const alone = out.label('alone');
  const transport = ETHERNET_BYTES + header;
  out.emit(
    jne.imm(COUNTERS, TCP, alone),
    ldx.b(R1, R2, transport + TCP_FLAGS),
    and.imm(R1, SYN_RST),
    jne.imm(R1, 0, alone),
    ldx.b(R1, R2, transport + TCP_OFFSET),
    rsh.imm(R1, 4),
    lsh.imm(R1, 2),
    add.imm(R1, header),
    sub.reg(R5, R1),
    jsgt.imm(R5, 0, pass),
    at(alone),
  );
}

/** The bytes behind the IP header into the zeroed buffer; r4 = how many there are, r8 = summary of packOdd. Uses r0..r5. */
function copyShort(ctx: HookContext, header: number, pass: Label): void {
  const { out } = ctx;
  const copied = out.label('copied');
  for (let offset = 0; offset < 24; offset += 8) out.emit(st.dw(R10, STACK.buffer + offset, 0));
  out.emit(
    ldx.dw(R4, R10, LENGTH),
    sub.imm(R4, header),
    jeq.imm(R4, 0, copied),
    // That a length of less than the header has made large, too.
    jgt.imm(R4, ORDINARY_BYTES - 1, pass),
    mov.reg(R1, CTX),
    mov.imm(R2, ETHERNET_BYTES + header),
    mov.reg(R3, R10),
    add.imm(R3, STACK.buffer),
    call.helper(HELPERS.loadBytes),
    jne.imm(R0, 0, pass),
    at(copied),
    ldx.dw(R4, R10, LENGTH),
    sub.imm(R4, header),
    mov.reg(FLOW, COUNTERS),
  );
}

/** r9 = this CPU's notes. Uses r0. */
export function loadNotes(possibleCpus: number, pass: Label): readonly CodeItem[] {
  return [
    call.helper(HELPER.cpu),
    // Never true; it gives the verifier the bound of the offset.
    jge.imm(R0, possibleCpus, pass),
    mul.imm(R0, NOTES.bytes),
    lddw.mapValue(COUNTERS, NOTES_MAP),
    add.reg(COUNTERS, R0),
  ];
}

/** The same, begun, for packets of a kind. In front of each copy of the rules; uses r0, r1. `goesOn`: other programs follow. */
export function beginNotes(ctx: HookContext, kind: EarlyPackets, goesOn: boolean, pass: Label): void {
  ctx.out.emit(...loadNotes(ctx.facts.possibleCpus, pass));
  if (goesOn) {
    if (ctx.family === 'ipv4') ctx.out.emit(stx.dw(COUNTERS, NOTES.addresses, ADDRESSES));
    ctx.out.emit(
      stx.dw(COUNTERS, NOTES.flow, FLOW),
      st.dw(COUNTERS, NOTES.outDevice, 0),
      st.w(COUNTERS, NOTES.kind, EARLY_PACKETS.indexOf(kind)),
    );
  }
  ctx.out.emit(
    st.w(COUNTERS, NOTES.count, 0),
    ldx.dw(R1, R10, LENGTH),
    stx.w(COUNTERS, NOTES.length, R1),
    ldx.dw(R1, R10, HEADER),
    stx.dw(COUNTERS, NOTES.header, R1),
    st.dw(R10, LENGTH, 0),
    st.dw(R10, HEADER, 0),
  );
}

/** The beginning of a program behind the first: registers and notes as the first has left them. */
export function resumeNotes(ctx: HookContext, labels: Readonly<Record<EarlyPackets, Label>>, pass: Label): void {
  const { out } = ctx;
  out.emit(mov.reg(CTX, R1), ...loadNotes(ctx.facts.possibleCpus, pass));
  if (ctx.family === 'ipv4') out.emit(ldx.dw(ADDRESSES, COUNTERS, NOTES.addresses));
  else {
    out.emit(ldx.dw(R1, COUNTERS, NOTES.header));
    castTo(ctx, 'ipv6hdr');
    out.emit(mov.reg(ADDRESSES, R0));
  }
  out.emit(ldx.dw(FLOW, COUNTERS, NOTES.flow), ldx.w(R1, COUNTERS, NOTES.kind));
  out.emit(jne.imm(R1, EARLY_PACKETS.indexOf('ordinary'), labels.short), ja(labels.ordinary));
}
