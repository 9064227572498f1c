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
  jlt,
  jne,
  jset,
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
import type { Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R7, R8, R10 } from '../../bpf/instruction.ts';
import type { DeviceKind } from '../../device/hook.ts';
import type { HookContext } from '../netfilter/context.ts';
import { COUNTERS, HELPER, STACK } from '../netfilter/layout.ts';
import { rejectValue } from '../netfilter/pending.ts';
import { emitError } from './answer-error.ts';
import {
  ANSWER_BYTES,
  finishIp,
  folded,
  IP_BYTES,
  ipHeader,
  MOST_FRAME_HEADER,
  PLACE,
  PROTOCOL,
  SUMMARY_CELL,
  sumOf,
  TCP_BYTES,
} from './answer-layout.ts';
import { emitSending } from './answer-sending.ts';
import { loadBytes, NOTES } from './notes.ts';

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
