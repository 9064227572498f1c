/**
 * Answers of REJECT, made of the rejected packet by the program itself: a TCP reset, or an ICMP error that quotes the packet. As
 * nf_send_reset, nf_send_unreach and icmp_send make them, as far as a program can know what they know (docs/device-hooks.md).
 *
 * The answer is put together in memory of the CPU, then the frame is cut or grown to its size and overwritten:
 *
 *     r7 -> frame header (Ethernet, tags)   PLACE.packet: IP header, ICMP or TCP header, quoted bytes   PLACE.tcp: the TCP header answered
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
  jle,
  jlt,
  jne,
  jset,
  lddw,
  ldx,
  lsh,
  mov,
  mul,
  or,
  rsh,
  st,
  stx,
  sub,
  xor,
} from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R7, R8, R10 } from '../../bpf/instruction.ts';
import type { MapSpec } from '../../bpf/program.ts';
import type { DeviceKind } from '../../device/hook.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { HookContext } from '../netfilter/context.ts';
import { COUNTERS, HELPER, STACK } from '../netfilter/layout.ts';
import { rejectValue } from '../netfilter/pending.ts';
import { unlessLimited } from './answer-limit.ts';
import { emitSending } from './answer-sending.ts';
import { loadBytes, NOTES } from './notes.ts';

/** Memory for one answer on each CPU. */
const ANSWER_BYTES = 2048;
export function answerMap(possibleCpus: number): MapSpec {
  return { name: 'bf_answer', type: 'array', keySize: 4, valueSize: ANSWER_BYTES * possibleCpus, maxEntries: 1 };
}

export const PLACE = { frame: 0, packet: 32, tcp: 1600 } as const;
/** Ethernet header and two tags. */
export const MOST_FRAME_HEADER = 22;
const TCP_BYTES = 20;
const ICMP_BYTES = 8;
const IP_BYTES = { ipv4: 20, ipv6: 40 } as const satisfies Record<Family, number>;
/** An answer is no longer than every link must carry. */
const MOST_QUOTED = { ipv4: 576 - 20 - ICMP_BYTES, ipv6: 1280 - 40 - ICMP_BYTES } as const;
const HOPS = 64;
const PROTOCOL = { icmp: 1, tcp: 6, icmp6: 58 } as const;
const CSUM_DIFF = 28;
/** bpf_csum_diff takes so many bytes at once on older kernels. */
const CHUNK = 512;

/** ICMP type and code of every answer but the reset. */
const CODES = {
  ipv4: [
    ['icmp-net-unreachable', 3, 0],
    ['icmp-host-unreachable', 3, 1],
    ['icmp-port-unreachable', 3, 3],
    ['icmp-proto-unreachable', 3, 2],
    ['icmp-net-prohibited', 3, 9],
    ['icmp-host-prohibited', 3, 10],
    ['icmp-admin-prohibited', 3, 13],
  ],
  ipv6: [
    ['icmp6-no-route', 1, 0],
    ['icmp6-adm-prohibited', 1, 1],
    ['icmp6-addr-unreachable', 1, 3],
    ['icmp6-port-unreachable', 1, 4],
    ['icmp6-policy-fail', 1, 5],
    ['icmp6-reject-route', 1, 6],
  ],
} as const satisfies Record<Family, readonly (readonly [string, number, number])[]>;

/** Where the prologue keeps protocol, fragment offset and "broken" of the packet for the answer (SUMMARY of netfilter/prologue.ts). */
export const SUMMARY_CELL = STACK.longer;

/** The block that rejected packets go to, with rejectValue in r8. Ends at `drop`, or sends the answer. */
export function emitAnswer(ctx: HookContext, kind: DeviceKind, drop: Label): void {
  const { out, family } = ctx;
  const [icmp, send] = [out.label('icmp'), out.label('send')];
  out.emit(
    call.helper(HELPER.cpu),
    // Never true; bounds for the verifier, here and below.
    jge.imm(R0, ctx.facts.possibleCpus, drop),
    mul.imm(R0, ANSWER_BYTES),
    lddw.mapValue(R7, 'bf_answer'),
    add.reg(R7, R0),
  );
  unlessAnswerable(ctx, drop);
  copyFrameHeader(ctx, kind, drop);
  out.emit(jne.imm(R8, rejectValue(family, 'tcp-reset'), icmp));
  emitReset(ctx, kind, drop);
  out.emit(ja(send), at(icmp));
  emitError(ctx, kind, drop);
  out.emit(at(send));
  emitSending(ctx, kind, drop);
}

/** Broadcasts, multicasts, fragments and broken packets get no answer, nor do senders that cannot be addressed. */
function unlessAnswerable(ctx: HookContext, drop: Label): void {
  const { out, family } = ctx;
  const header = NOTES.header;
  const bare = out.label('bare');
  out.emit(
    ldx.w(R1, COUNTERS, NOTES.place),
    jeq.imm(R1, 0, bare),
    ldx.b(R1, COUNTERS, NOTES.frame),
    jset.imm(R1, 1, drop),
    at(bare),
    ldx.w(R1, R10, SUMMARY_CELL),
    rsh.imm(R1, 8),
    jne.imm(R1, 0, drop),
  );
  if (family === 'ipv4') {
    out.emit(
      ldx.b(R1, COUNTERS, header + 12),
      jeq.imm(R1, 0, drop),
      jeq.imm(R1, 127, drop),
      jge.imm(R1, 224, drop),
      ldx.b(R1, COUNTERS, header + 16),
      jge.imm(R1, 224, drop),
    );
    return;
  }
  const sender = out.label('sender');
  out.emit(
    ldx.b(R1, COUNTERS, header + 8),
    jeq.imm(R1, 0xff, drop),
    ldx.b(R1, COUNTERS, header + 24),
    jeq.imm(R1, 0xff, drop),
    ldx.dw(R1, COUNTERS, header + 8),
    jne.imm(R1, 0, sender),
    ldx.dw(R1, COUNTERS, header + 16),
    jeq.imm(R1, 0, drop),
    at(sender),
  );
}

/** The frame's header with sender and receiver exchanged. */
function copyFrameHeader({ out }: HookContext, kind: DeviceKind, drop: Label): void {
  const bare = out.label('bare');
  out.emit(
    ldx.w(R4, COUNTERS, NOTES.place),
    jeq.imm(R4, 0, bare),
    jlt.imm(R4, 14, drop),
    jgt.imm(R4, MOST_FRAME_HEADER, drop),
    mov.imm(R2, 0),
    mov.reg(R3, R7),
    ...loadBytes(kind),
    jne.imm(R0, 0, drop),
    ldx.w(R1, R7, 0),
    ldx.h(R2, R7, 4),
    ldx.w(R3, R7, 6),
    ldx.h(R4, R7, 10),
    stx.w(R7, 0, R3),
    stx.h(R7, 4, R4),
    stx.w(R7, 6, R1),
    stx.h(R7, 10, R2),
    at(bare),
  );
}

/** r0 = complement of the folded sum in r0. Uses r1. */
function folded(): readonly CodeItem[] {
  const once = [mov.reg32(R1, R0), rsh.imm(R1, 16), and.imm(R0, 0xffff), add.reg(R0, R1)];
  return [...once, ...once, xor.imm(R0, 0xffff), and.imm(R0, 0xffff)];
}

/** r0 = sum of `bytes` at `from` of the answer. `seed`: added; r5 when it is undefined. */
function sumOf(from: number, bytes: number, seed: number | undefined): readonly CodeItem[] {
  return [
    ...(seed === undefined ? [] : [mov.imm(R5, seed)]),
    mov.imm(R1, 0),
    mov.imm(R2, 0),
    mov.reg(R3, R7),
    add.imm(R3, from),
    mov.imm(R4, bytes),
    call.helper(CSUM_DIFF),
  ];
}

/** The IP header of the answer, with everything but lengths and checksum. `tos`: in r1 for errors of IPv4. */
function ipHeader(ctx: HookContext, what: 'reset' | 'error'): void {
  const { out, family } = ctx;
  const [header, packet] = [NOTES.header, PLACE.packet];
  if (family === 'ipv4') {
    out.emit(st.b(R7, packet, 0x45));
    if (what === 'error') {
      out.emit(ldx.b(R1, COUNTERS, header + 1), and.imm(R1, 0x1e), or.imm(R1, 0xc0), stx.b(R7, packet + 1, R1));
      out.emit(call.helper(HELPER.random), stx.h(R7, packet + 4, R0), st.h(R7, packet + 6, 0));
    } else out.emit(st.b(R7, packet + 1, 0), st.h(R7, packet + 4, 0), st.h(R7, packet + 6, 0x0040));
    out.emit(
      st.b(R7, packet + 8, HOPS),
      st.b(R7, packet + 9, what === 'reset' ? PROTOCOL.tcp : PROTOCOL.icmp),
      st.h(R7, packet + 10, 0),
      ldx.w(R1, COUNTERS, header + 16),
      stx.w(R7, packet + 12, R1),
      ldx.w(R1, COUNTERS, header + 12),
      stx.w(R7, packet + 16, R1),
    );
    return;
  }
  out.emit(
    st.w(R7, packet, 0x60),
    st.b(R7, packet + 6, what === 'reset' ? PROTOCOL.tcp : PROTOCOL.icmp6),
    st.b(R7, packet + 7, HOPS),
  );
  for (let byte = 0; byte < 16; byte += 8) {
    out.emit(ldx.dw(R1, COUNTERS, header + 24 + byte), stx.dw(R7, packet + 8 + byte, R1));
    out.emit(ldx.dw(R1, COUNTERS, header + 8 + byte), stx.dw(R7, packet + 24 + byte, R1));
  }
}

/** Length fields from the total length in r4, which is noted; and the checksum of an IPv4 header. Uses r0..r5. */
function finishIp(ctx: HookContext): void {
  const { out, family } = ctx;
  const packet = PLACE.packet;
  out.emit(stx.w(COUNTERS, NOTES.answer, R4));
  if (family === 'ipv4') {
    out.emit(endian.toBe(16, R4), stx.h(R7, packet + 2, R4));
    out.emit(...sumOf(packet, 20, 0), ...folded(), stx.h(R7, packet + 10, R0));
  } else out.emit(sub.imm(R4, 40), endian.toBe(16, R4), stx.h(R7, packet + 4, R4));
}

const FLAG = { fin: 1, syn: 2, rst: 4, ack: 16 } as const;

function emitReset(ctx: HookContext, kind: DeviceKind, drop: Label): void {
  const { out, family } = ctx;
  const ip = IP_BYTES[family];
  const tcp = PLACE.packet + ip;
  const old = PLACE.tcp;
  const [answersAck, flagged] = [out.label('ack'), out.label('flags')];
  out.emit(
    ldx.w(R1, R10, SUMMARY_CELL),
    and.imm(R1, 0xff),
    jne.imm(R1, PROTOCOL.tcp, drop),
    ldx.w(R2, R10, STACK.transportOffset),
    ldx.w(R1, COUNTERS, NOTES.length),
    jlt.reg(R1, R2, drop),
    sub.reg(R1, R2),
    jlt.imm(R1, TCP_BYTES, drop),
    ldx.w(R1, COUNTERS, NOTES.place),
    add.reg(R2, R1),
    mov.reg(R3, R7),
    add.imm(R3, old),
    mov.imm(R4, TCP_BYTES),
    ...loadBytes(kind),
    jne.imm(R0, 0, drop),
    ldx.b(R8, R7, old + 13),
    jset.imm(R8, FLAG.rst, drop),
  );
  ipHeader(ctx, 'reset');
  out.emit(
    ldx.h(R1, R7, old + 2),
    stx.h(R7, tcp, R1),
    ldx.h(R1, R7, old),
    stx.h(R7, tcp + 2, R1),
    st.w(R7, tcp + 4, 0),
    st.w(R7, tcp + 8, 0),
    st.b(R7, tcp + 12, 0x50),
    st.b(R7, tcp + 13, FLAG.rst),
    st.w(R7, tcp + 14, 0),
    st.h(R7, tcp + 18, 0),
    jset.imm(R8, FLAG.ack, answersAck),
    // What has not been acknowledged is: everything the segment takes of the sequence.
    ldx.w(R1, R7, old + 4),
    endian.toBe(32, R1),
    mov.reg(R2, R8),
    and.imm(R2, FLAG.fin),
    add.reg(R1, R2),
    mov.reg(R2, R8),
    rsh.imm(R2, 1),
    and.imm(R2, 1),
    add.reg(R1, R2),
    ldx.w(R2, COUNTERS, NOTES.length),
    add.reg(R1, R2),
    ldx.w(R2, R10, STACK.transportOffset),
    sub.reg(R1, R2),
    ldx.b(R2, R7, old + 12),
    rsh.imm(R2, 4),
    lsh.imm(R2, 2),
    sub.reg(R1, R2),
    endian.toBe(32, R1),
    stx.w(R7, tcp + 8, R1),
    st.b(R7, tcp + 13, FLAG.rst | FLAG.ack),
    ja(flagged),
    at(answersAck),
    ldx.w(R1, R7, old + 8),
    stx.w(R7, tcp + 4, R1),
    at(flagged),
    // Both addresses lie right before the header, and with protocol and length they are the pseudo header.
    ...sumOf(
      PLACE.packet + (family === 'ipv4' ? 12 : 8),
      (family === 'ipv4' ? 8 : 32) + TCP_BYTES,
      (PROTOCOL.tcp + TCP_BYTES) << 8,
    ),
    ...folded(),
    stx.h(R7, tcp + 16, R0),
    mov.imm(R4, ip + TCP_BYTES),
  );
  finishIp(ctx);
}

function emitError(ctx: HookContext, kind: DeviceKind, drop: Label): void {
  const { out, family } = ctx;
  const icmp = PLACE.packet + IP_BYTES[family];
  const quoted = icmp + ICMP_BYTES;
  const [least, done] = [out.label('quote'), out.label('code')];
  unlessErrorItself(ctx, kind, drop);
  unlessLimited(ctx, drop);
  CODES[family].forEach(([answer, type, code], index) => {
    const next = out.label('other');
    if (index < CODES[family].length - 1) out.emit(jne.imm(R8, rejectValue(family, answer), next));
    out.emit(st.b(R7, icmp, type), st.b(R7, icmp + 1, code), ja(done), at(next));
  });
  out.emit(at(done), st.h(R7, icmp + 2, 0), st.w(R7, icmp + 4, 0));
  out.emit(
    ldx.w(R4, COUNTERS, NOTES.length),
    jle.imm(R4, MOST_QUOTED[family], least),
    mov.imm(R4, MOST_QUOTED[family]),
    at(least),
    jlt.imm(R4, 1, drop),
    mov.reg(R8, R4),
    // Zeros behind, for the checksum.
    mov.reg(R1, R7),
    add.reg(R1, R4),
    st.b(R1, quoted, 0),
    st.b(R1, quoted + 1, 0),
    st.b(R1, quoted + 2, 0),
    ldx.w(R2, COUNTERS, NOTES.place),
    mov.reg(R3, R7),
    add.imm(R3, quoted),
    ...loadBytes(kind),
    jne.imm(R0, 0, drop),
  );
  ipHeader(ctx, 'error');
  // r8: bytes of ICMP. The pseudo header of ICMPv6 is added to them.
  out.emit(add.imm(R8, ICMP_BYTES));
  if (family === 'ipv6') {
    out.emit(mov.reg(R5, R8), add.imm(R5, PROTOCOL.icmp6), endian.toBe(16, R5));
    out.emit(...sumOf(PLACE.packet + 8, 32, undefined), mov.reg(R5, R0));
  } else out.emit(mov.imm(R5, 0));
  sumIcmp(ctx, icmp, ICMP_BYTES + MOST_QUOTED[family]);
  out.emit(...folded(), stx.h(R7, icmp + 2, R0), mov.reg(R4, R8), add.imm(R4, IP_BYTES[family]));
  finishIp(ctx);
}

/** r0 = sum of the r8 bytes from `from` on, and r5. */
function sumIcmp({ out }: HookContext, from: number, most: number): void {
  const done = out.label('summed');
  out.emit(mov.reg(R0, R5));
  for (let start = 0; start < most; start += CHUNK) {
    const part = out.label('part');
    out.emit(
      mov.reg(R5, R0),
      mov.reg(R4, R8),
      add.imm(R4, 3),
      and.imm(R4, 0xffc),
      jle.imm(R4, start, done),
      sub.imm(R4, start),
      jle.imm(R4, CHUNK, part),
      mov.imm(R4, CHUNK),
      at(part),
      mov.imm(R1, 0),
      mov.imm(R2, 0),
      mov.reg(R3, R7),
      add.imm(R3, from + start),
      call.helper(CSUM_DIFF),
    );
  }
  out.emit(at(done));
}

/** No error answers an error (icmp_send, is_ineligible). */
function unlessErrorItself(ctx: HookContext, kind: DeviceKind, drop: Label): void {
  const { out, family } = ctx;
  const fine = out.label('fine');
  out.emit(
    ldx.w(R1, R10, SUMMARY_CELL),
    and.imm(R1, 0xff),
    jne.imm(R1, family === 'ipv4' ? PROTOCOL.icmp : PROTOCOL.icmp6, fine),
    ldx.w(R2, R10, STACK.transportOffset),
    ldx.w(R1, COUNTERS, NOTES.length),
    jle.reg(R1, R2, drop),
    ldx.w(R1, COUNTERS, NOTES.place),
    add.reg(R2, R1),
    mov.reg(R3, R7),
    add.imm(R3, PLACE.tcp),
    mov.imm(R4, 1),
    ...loadBytes(kind),
    jne.imm(R0, 0, drop),
    ldx.b(R1, R7, PLACE.tcp),
  );
  if (family === 'ipv6') out.emit(jlt.imm(R1, 128, drop), jeq.imm(R1, 137, drop));
  else for (const type of [3, 4, 5, 11, 12]) out.emit(jeq.imm(R1, type, drop));
  out.emit(at(fine));
}
