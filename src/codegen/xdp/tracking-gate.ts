/**
 * The gate of connection tracking, which lies between raw and mangle. Where connections are tracked, nf_conntrack_in changes the entry of
 * a packet that has one, whatever becomes of the packet. One without an entry gets one that nobody sees before the packet has passed all tables, and
 * goes with it. So only packets pass here that certainly begin a connection: they are NEW, and nothing of them remains.
 *
 *     TCP with SYN alone, or UDP; lengths and checksum right (else INVALID, which may be logged)
 *     no entry, no expected connection at all, and room for one more entry (else others are evicted, or the packet goes)
 */

import {
  add,
  and,
  at,
  call,
  endian,
  exit,
  ja,
  jeq,
  jge,
  jgt,
  jlt,
  jne,
  jslt,
  lddw,
  ldx,
  lsh,
  mov,
  rsh,
  st,
  stx,
  sub,
} from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R7, R8, R9, R10 } from '../../bpf/instruction.ts';
import { type HookContext, memberPlace } from '../netfilter/context.ts';
import { COUNTERS, CTX, HELPER } from '../netfilter/layout.ts';
import { GATE, GATE_FLAGS, GATE_MAP, unlessHookKnown } from './gate.ts';
import { readKernel } from './kernel-memory.ts';
import { NOTES } from './notes.ts';
import { loadNotes } from './prologue.ts';
import { jumpToStage, type StageSlot } from './stages.ts';
import { ETHERNET_BYTES, XDP, XDP_MD } from './stub.ts';

const PROTOCOL = { tcp: 6, udp: 17 } as const;
/** FIN, SYN, RST, ACK, URG; and what must be left of them. */
const TCP_FLAGS = { mask: 0x37, syn: 0x02 } as const;
const TCP_HEADER = 20;
/** Transport headers with payload whose checksum is worth adding up. */
const MOST_BYTES = 1480;
const HELPERS = { loadBytes: 189, csumDiff: 28 } as const;
const ENOENT = 2;
/** struct bpf_sock_tuple, at most 36 bytes, and struct bpf_ct_opts. */
const TUPLE = -40;
const OPTIONS = -56;
const OPTIONS_BYTES = 16;
const CURRENT_NETNS = -1;
/** ARRAY, 1 element: a packet's transport part for every CPU. */
const BYTES_MAP = 'bf_early_bytes';
const BYTES = 2048;

export const trackingMap = (possibleCpus: number) =>
  ({ name: BYTES_MAP, type: 'array', keySize: 4, valueSize: possibleCpus * BYTES, maxEntries: 1 }) as const;

/** r8 = the namespace of the device that the frame came in by, as a number; uses r0..r5. */
export function loadNamespace({ facts }: HookContext): readonly CodeItem[] {
  return [
    mov.reg(R1, CTX),
    call.kfunc('bpf_cast_to_kern_ctx'),
    ...readKernel('dw', R8, R0, memberPlace(facts, 'xdp_buff.rxq').offset),
    ...readKernel('dw', R8, R8, memberPlace(facts, 'xdp_rxq_info.dev').offset),
    ...readKernel('dw', R8, R8, memberPlace(facts, 'net_device.nd_net').offset),
  ];
}

/** Emits the program. `next`: where packets go that pass. */
export function emitTrackingGate(ctx: HookContext, next: StageSlot): void {
  const { out, facts } = ctx;
  const [pass, through] = [out.label('pass'), out.label('through')];
  const place = (name: Parameters<typeof memberPlace>[1]): number => memberPlace(facts, name).offset;
  out.emit(
    mov.reg(CTX, R1),
    ...loadNotes(facts.possibleCpus, pass),
    ...loadNamespace(ctx),
    ...unlessHookKnown(ctx, 'PREROUTING', pass),
    lddw.mapValue(R1, GATE_MAP),
    ldx.w(R1, R1, GATE.flags),
    and.imm(R1, GATE_FLAGS.tracked),
    jeq.imm(R1, 0, through),
    ...readKernel('w', R1, R8, place('net.ct.sysctl_log_invalid') & ~3),
    rsh.imm(R1, (place('net.ct.sysctl_log_invalid') & 3) * 8),
    and.imm(R1, 0xff),
    jne.imm(R1, 0, pass),
    lddw.mapValue(R8, GATE_MAP),
    ldx.dw(R7, R8, GATE.conntrack),
    jeq.imm(R7, 0, pass),
    ...readKernel('w', R1, R7, place('nf_conntrack_net.expect_count')),
    jne.imm(R1, 0, pass),
    ...readKernel('w', R7, R7, place('nf_conntrack_net.count')),
    ldx.dw(R1, R8, GATE.most),
    ...readKernel('w', R1, R1, 0),
    jge.reg(R7, R1, pass),
  );
  emitChecks(ctx, pass);
  emitLookup(ctx, pass);
  out.emit(at(through), ...jumpToStage(next), at(pass), mov.imm(R0, XDP.pass), exit());
}

/** r2 = frame with the whole first headers; uses r3, r4. */
function loadHeaders(bytes: number, pass: Label): readonly CodeItem[] {
  return [
    ldx.w(R2, CTX, XDP_MD.data),
    ldx.w(R3, CTX, XDP_MD.dataEnd),
    mov.reg(R4, R2),
    add.imm(R4, bytes),
    jgt.reg(R4, R3, pass),
  ];
}

const headerOf = (ctx: HookContext): number => (ctx.family === 'ipv4' ? 20 : 40);

/** The transport header says that it begins a connection, and all of it is right. r8 = protocol behind it. */
function emitChecks(ctx: HookContext, pass: Label): void {
  const { out, family } = ctx;
  const ip = ETHERNET_BYTES;
  const transport = ip + headerOf(ctx);
  const [udp, sum, right] = [out.label('udp'), out.label('sum'), out.label('right')];
  out.emit(
    ...loadHeaders(transport + 8, pass),
    ldx.w(R7, COUNTERS, NOTES.length),
    sub.imm(R7, headerOf(ctx)),
    // r7 = bytes of transport header and payload, r8 = protocol
    ldx.b(R8, R2, ip + (family === 'ipv4' ? 9 : 6)),
    jeq.imm(R8, PROTOCOL.udp, udp),
    jne.imm(R8, PROTOCOL.tcp, pass),
    ...loadHeaders(transport + 20, pass),
    ldx.b(R1, R2, transport + 13),
    and.imm(R1, TCP_FLAGS.mask),
    jne.imm(R1, TCP_FLAGS.syn, pass),
    ldx.b(R1, R2, transport + 12),
    rsh.imm(R1, 4),
    lsh.imm(R1, 2),
    jlt.imm(R1, TCP_HEADER, pass),
    jgt.reg(R1, R7, pass),
    ja(sum),
    at(udp),
    ldx.h(R1, R2, transport + 4),
    endian.toBe(16, R1),
    jne.reg(R1, R7, pass),
    ldx.h(R1, R2, transport + 6),
    // None: of IPv6, too (udp_error).
    jeq.imm(R1, 0, right),
    at(sum),
    jgt.imm(R7, MOST_BYTES, pass),
  );
  emitChecksum(ctx, pass);
  out.emit(at(right));
}

/** To `pass` unless pseudo header and r7 bytes of transport sum up. Keeps r8. */
function emitChecksum(ctx: HookContext, pass: Label): void {
  const { out, family } = ctx;
  const ip = ETHERNET_BYTES;
  const [first, last] = family === 'ipv4' ? [12, 20] : [8, 40];
  out.emit(
    jslt.imm(R7, 8, pass),
    call.helper(HELPER.cpu),
    jge.imm(R0, ctx.facts.possibleCpus, pass),
    lsh.imm(R0, 11),
    lddw.mapValue(R9, BYTES_MAP),
    add.reg(R9, R0),
    mov.reg(R1, CTX),
    mov.imm(R2, ip + headerOf(ctx)),
    mov.reg(R3, R9),
    mov.reg(R4, R7),
    call.helper(HELPERS.loadBytes),
    jne.imm(R0, 0, pass),
    // Up to a multiple of four with zeros.
    mov.reg(R1, R9),
    add.reg(R1, R7),
    st.w(R1, 0, 0),
    ...loadHeaders(ip + headerOf(ctx), pass),
    mov.reg(R5, R7),
    endian.toBe(16, R5),
    mov.reg(R0, R8),
    lsh.imm(R0, 8),
    add.reg(R5, R0),
  );
  for (let at = first; at < last; at += 4) out.emit(ldx.w(R0, R2, ip + at), add.reg(R5, R0));
  out.emit(
    // To 32 bits, which the helper begins with.
    ...fold(R5, 32),
    ...fold(R5, 32),
    mov.imm(R1, 0),
    mov.imm(R2, 0),
    mov.reg(R3, R9),
    mov.reg(R4, R7),
    add.imm(R4, 3),
    and.imm(R4, 0xffc),
    call.helper(HELPERS.csumDiff),
    jslt.imm(R0, 0, pass),
    ...fold(R0, 16),
    ...fold(R0, 16),
    jne.imm(R0, 0xffff, pass),
  );
}

/** The register's bits above `bits` added to those below; uses r1. */
function fold(register: number, bits: 16 | 32): readonly CodeItem[] {
  return [
    mov.reg(R1, register),
    rsh.imm(R1, bits),
    ...(bits === 32 ? [mov.reg32(register, register)] : [and.imm(register, 0xffff)]),
    add.reg(register, R1),
  ];
}

/** No entry has the packet's tuple, in either direction. r8 = protocol. */
function emitLookup(ctx: HookContext, pass: Label): void {
  const { out, family } = ctx;
  const none = out.label('none');
  const [first, bytes] = family === 'ipv4' ? [12, 8] : [8, 32];
  const ip = ETHERNET_BYTES;
  out.emit(...loadHeaders(ip + headerOf(ctx) + 4, pass));
  for (let at = 0; at < bytes + 4; at += 4) out.emit(ldx.w(R1, R2, ip + first + at), stx.w(R10, TUPLE + at, R1));
  out.emit(
    st.w(R10, OPTIONS, CURRENT_NETNS),
    st.w(R10, OPTIONS + 4, 0),
    st.dw(R10, OPTIONS + 8, 0),
    stx.b(R10, OPTIONS + 8, R8),
    mov.reg(R1, CTX),
    mov.reg(R2, R10),
    add.imm(R2, TUPLE),
    mov.imm(R3, bytes + 4),
    mov.reg(R4, R10),
    add.imm(R4, OPTIONS),
    mov.imm(R5, OPTIONS_BYTES),
    call.kfunc('bpf_xdp_ct_lookup'),
    jeq.imm(R0, 0, none),
    mov.reg(R1, R0),
    call.kfunc('bpf_ct_release'),
    ja(pass),
    at(none),
    ldx.w(R1, R10, OPTIONS + 4),
    add.imm32(R1, ENOENT),
    jne.imm32(R1, 0, pass),
  );
}
