/**
 * The connection that a packet belongs to, looked up where none has been tracked yet. What is noted is like sk_buff._nfct: the address of
 * the entry and how the packet relates to it. A TCP or UDP packet that no entry knows belongs to a connection that would be new: it gets
 * an entry of zeros. An ICMP error belongs to the connection of the packet that it tells of. The kernel looks up no other protocols, so their packets
 * have no entry.
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
  or,
  rsh,
  st,
  stx,
  sub,
} from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R7, R8 } from '../../bpf/instruction.ts';
import type { MapSpec } from '../../bpf/program.ts';
import type { DeviceKind } from '../../device/hook.ts';
import { castTo } from '../netfilter/cast.ts';
import { type HookContext, loadMember } from '../netfilter/context.ts';
import { COUNTERS, CTX } from '../netfilter/layout.ts';
import { HEADER_BYTES, NOTES } from './notes.ts';

/** What stands for the entry of a connection that is not there yet: nothing but zeros. */
export const NO_ENTRY = {
  name: 'bf_no_entry',
  type: 'array',
  keySize: 4,
  valueSize: 1024,
  maxEntries: 1,
} as const satisfies MapSpec;

const TCP = 6;
const UDP = 17;
const ICMP = { ipv4: 1, ipv6: 58 } as const;
/** Types of ICMP that tell of another packet: unreachable, source quench, redirect, time exceeded, parameter problem. */
const ICMP_ERRORS = [3, 4, 5, 11, 12];
/** The first type of ICMPv6 that does not. */
const ICMPV6_INFORMATIVE = 128;
const ICMP_HEADER = 8;
/** Bytes of the shortest transport header that conntrack takes. */
const PORTS_BYTES = 8;
const TUPLE_BYTES = { ipv4: 12, ipv6: 36 } as const;
/** struct bpf_ct_opts */
const OPTIONS = { netns: 0, error: 4, protocol: 8, direction: 9, bytes: 16 } as const;
const ENOENT = -2;
/** enum ip_conntrack_info, enum ip_conntrack_status */
const INFO = { related: 1, new: 2, reply: 3, relatedReply: 4 } as const;
const STATUS = { expected: 1 << 0, seenReply: 1 << 1 } as const;

/** Notes the connection. r9 = notes; uses r0..r5, r7, r8. */
export function noteConnection(ctx: HookContext, kind: DeviceKind): void {
  if (kind === 'tc-egress') noteTracked(ctx);
  else lookUp(ctx, kind);
}

/** On its way out the packet has what conntrack has given it. */
function noteTracked(ctx: HookContext): void {
  ctx.out.emit(mov.reg(R1, CTX), call.kfunc('bpf_cast_to_kern_ctx'), mov.reg(R1, R0));
  castTo(ctx, 'sk_buff');
  ctx.out.emit(loadMember(ctx, R1, R0, 'sk_buff._nfct'), stx.dw(COUNTERS, NOTES.entry, R1));
}

/** r0 = the entry of the tuple noted, with the protocol in r7, or 0. Uses r1..r5. */
function callLookup({ family }: HookContext, kind: DeviceKind): readonly CodeItem[] {
  return [
    st.w(COUNTERS, NOTES.options + OPTIONS.netns, -1),
    st.w(COUNTERS, NOTES.options + OPTIONS.error, 0),
    st.dw(COUNTERS, NOTES.options + OPTIONS.protocol, 0),
    stx.b(COUNTERS, NOTES.options + OPTIONS.protocol, R7),
    mov.reg(R1, CTX),
    mov.reg(R2, COUNTERS),
    add.imm(R2, NOTES.tuple),
    mov.imm(R3, TUPLE_BYTES[family]),
    mov.reg(R4, COUNTERS),
    add.imm(R4, NOTES.options),
    mov.imm(R5, OPTIONS.bytes),
    call.kfunc(kind === 'xdp' ? 'bpf_xdp_ct_lookup' : 'bpf_skb_ct_lookup'),
  ];
}

/**
 * An ICMP error belongs to the connection of the packet that it tells of (nf_conntrack_inet_error), if it comes to that packet's sender. Before: r7
 * protocol, r8 length of the header. Behind: the entry noted, r7 = how it relates to it.
 */
function lookUpError(ctx: HookContext, kind: DeviceKind, none: Label): void {
  const { out, family } = ctx;
  const [error, ported, same] = [out.label('error'), out.label('ported'), out.label('direction')];
  const inner = NOTES.header + ICMP_HEADER;
  const { tuple } = NOTES;
  out.emit(
    jne.imm(R7, ICMP[family], none),
    mov.reg(R2, COUNTERS),
    add.reg(R2, R8),
    // Type; then version and length of the other packet's header.
    ldx.b(R3, R2, NOTES.header),
    ldx.b(R4, R2, inner),
    mov.reg(R5, R4),
    rsh.imm(R5, 4),
  );
  if (family === 'ipv4') {
    out.emit(...ICMP_ERRORS.map((type) => jeq.imm(R3, type, error)), ja(none), at(error), jne.imm(R5, 4, none));
    out.emit(and.imm(R4, 0x0f), lsh.imm(R4, 2), jlt.imm(R4, 20, none), ldx.h(R5, R2, inner + 6), endian.toBe(16, R5));
    out.emit(jset.imm(R5, 0x1fff, none), ldx.b(R7, R2, inner + 9));
  } else
    out.emit(jge.imm(R3, ICMPV6_INFORMATIVE, none), jne.imm(R5, 6, none), mov.imm(R4, 40), ldx.b(R7, R2, inner + 6));
  out.emit(
    jeq.imm(R7, TCP, ported),
    jne.imm(R7, UDP, none),
    at(ported),
    mov.reg(R5, R8),
    add.reg(R5, R4),
    add.imm(R5, ICMP_HEADER + 4),
    jgt.imm(R5, HEADER_BYTES, none),
    ldx.w(R1, COUNTERS, NOTES.length),
    jgt.reg(R5, R1, none),
  );
  // The other way round, as an answer to it would come.
  const [bytes, source, own] = family === 'ipv4' ? [4, inner + 12, 16] : [16, inner + 8, 24];
  for (let byte = 0; byte < bytes; byte += 4)
    out.emit(
      ldx.w(R1, R2, source + bytes + byte),
      stx.w(COUNTERS, tuple + byte, R1),
      ldx.w(R1, R2, source + byte),
      stx.w(COUNTERS, tuple + bytes + byte, R1),
      ldx.w(R3, COUNTERS, NOTES.header + own + byte),
      jne.reg(R1, R3, none),
    );
  out.emit(
    add.reg(R2, R4),
    ldx.h(R1, R2, inner + 2),
    stx.h(COUNTERS, tuple + 2 * bytes, R1),
    ldx.h(R1, R2, inner),
    stx.h(COUNTERS, tuple + 2 * bytes + 2, R1),
    ...callLookup(ctx, kind),
    jeq.imm(R0, 0, none),
    stx.dw(COUNTERS, NOTES.entry, R0),
    mov.reg(R1, R0),
    call.kfunc('bpf_ct_release'),
    mov.imm(R7, INFO.related),
    ldx.b(R1, COUNTERS, NOTES.options + OPTIONS.direction),
    jeq.imm(R1, 0, same),
    mov.imm(R7, INFO.relatedReply),
    at(same),
  );
}

function lookUp(ctx: HookContext, kind: DeviceKind): void {
  const { out, family } = ctx;
  const [known, other, found, release, none] = [
    out.label('known'),
    out.label('other'),
    out.label('found'),
    out.label('release'),
    out.label('none'),
  ];
  const header = NOTES.header;
  if (family === 'ipv4') {
    out.emit(
      ldx.b(R8, COUNTERS, header),
      and.imm(R8, 0x0f),
      lsh.imm(R8, 2),
      ldx.h(R1, COUNTERS, header + 6),
      endian.toBe(16, R1),
      jset.imm(R1, 0x1fff, none),
      ldx.b(R7, COUNTERS, header + 9),
    );
  } else out.emit(mov.imm(R8, 40), ldx.b(R7, COUNTERS, header + 6));
  out.emit(
    jeq.imm(R7, TCP, known),
    jne.imm(R7, UDP, other),
    at(known),
    ldx.w(R1, COUNTERS, NOTES.length),
    jlt.reg(R1, R8, none),
    sub.reg(R1, R8),
    jlt.imm(R1, PORTS_BYTES, none),
    mov.reg(R1, COUNTERS),
    add.reg(R1, R8),
    ldx.w(R2, R1, header),
    stx.w(COUNTERS, NOTES.tuple + TUPLE_BYTES[family] - 4, R2),
  );
  const addresses = family === 'ipv4' ? { from: header + 12, bytes: 8 } : { from: header + 8, bytes: 32 };
  for (let byte = 0; byte < addresses.bytes; byte += 4)
    out.emit(ldx.w(R1, COUNTERS, addresses.from + byte), stx.w(COUNTERS, NOTES.tuple + byte, R1));
  out.emit(
    ...callLookup(ctx, kind),
    jne.imm(R0, 0, found),
    ldx.w(R1, COUNTERS, NOTES.options + OPTIONS.error),
    jne.imm32(R1, ENOENT, none),
    lddw.mapValue(R1, NO_ENTRY.name),
    stx.dw(COUNTERS, NOTES.entry, R1),
    mov.imm(R7, INFO.new),
    ja(release),
    at(found),
    stx.dw(COUNTERS, NOTES.entry, R0),
    loadMember(ctx, R8, R0, 'nf_conn.status'),
    mov.reg(R1, R0),
    call.kfunc('bpf_ct_release'),
  );
  const original = out.label('original');
  out.emit(
    mov.imm(R7, INFO.reply),
    ldx.b(R1, COUNTERS, NOTES.options + OPTIONS.direction),
    jeq.imm(R1, 0, original),
    ja(release),
    at(original),
    mov.imm(R7, 0),
    jset.imm(R8, STATUS.seenReply, release),
    mov.imm(R7, INFO.related),
    jset.imm(R8, STATUS.expected, release),
    mov.imm(R7, INFO.new),
    ja(release),
    at(other),
  );
  lookUpError(ctx, kind, none);
  out.emit(at(release), ldx.dw(R1, COUNTERS, NOTES.entry), or.reg(R1, R7), stx.dw(COUNTERS, NOTES.entry, R1), at(none));
}
