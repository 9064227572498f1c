/**
 * The beginning of every hook program: registers, counters, and the flow word when a rule looks behind the IP header.
 *
 *     ordinary packet, header linear     two or three fault-tolerant loads, then the ordinary copy of the rules
 *     everything else                    up to 20 bytes of transport header copied to the stack (zeros behind the end),
 *                                        then the copy that fits the packet
 */

import {
  add,
  and,
  arsh,
  at,
  call,
  endian,
  ja,
  jge,
  jgt,
  jle,
  jne,
  jslt,
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
import type { Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R10 } from '../../bpf/instruction.ts';
import type { FieldName } from '../../policy/fields.ts';
import { MAP_NAMES } from '../compiled.ts';
import { DEVICE_STACK, readFromFrame } from '../device/notes.ts';
import { BYTES, castTo } from './cast.ts';
import { type HookContext, loadMember, loadSkb } from './context.ts';
import { NORMAL_SHIFT, ODD_LENGTH_MAX, ODD_SHIFT } from './flow-word.ts';
import { walkIpv6Headers } from './ipv6-walk.ts';
import { ADDRESSES, COUNTERS, FLOW, HELPER, STACK, TRANSPORT_BYTES } from './layout.ts';

export interface PrologueTargets {
  /** Ordinary packets; absent when all packets are treated as odd. */
  readonly normal?: Label;
  readonly odd: Label;
}

/** Where the slow path keeps what it knows, in r8 until the flow word is made: bad << 31 | fragment offset / 8 << 8 | protocol. */
export const SUMMARY = { fragmentShift: 8, broken: 0x80000000 } as const;

const FRAGMENT_MASK = 0x1fff;

/** Emits everything before rules that look behind the IP header; `fields` is what rules ask for. */
export function emitPrologue(ctx: HookContext, fields: ReadonlySet<FieldName>, targets: PrologueTargets): void {
  if (ctx.family === 'ipv4') emitIpv4(ctx, fields, targets);
  else emitIpv6(ctx, fields, targets);
}

/** r9 = this CPU's counters. Emitted in front of every copy of the rules. */
export function emitCounterBase(ctx: HookContext, drop: Label): void {
  ctx.out.emit(
    call.helper(HELPER.cpu),
    // Never true; it gives the verifier the bound of the offset.
    jge.imm(R0, ctx.facts.possibleCpus, drop),
    mul.imm(R0, ctx.counterStride),
    lddw.mapValue(COUNTERS, MAP_NAMES.counters),
    add.reg(COUNTERS, R0),
  );
}

/** r8 = skb->data */
function loadData(ctx: HookContext): void {
  ctx.out.emit(loadSkb(ctx, R1), loadMember(ctx, FLOW, R1, 'sk_buff.data'));
}

/** The same for rules that ask only for what lies in the IP header, or not even for that; the rules follow. */
export function emitPlain(ctx: HookContext, fields: ReadonlySet<FieldName>): void {
  const { out } = ctx;
  if (ctx.family === 'ipv6') {
    if (needsIpv6Header(fields)) {
      loadData(ctx);
      castIpv6Header(ctx);
    }
    return;
  }
  const addresses = needsIpv4Addresses(fields);
  const word = fields.has('ip.protocol') || fields.has('ip.ttl');
  if (!addresses && !word) return;
  loadData(ctx);
  if (addresses) loadIpv4Addresses(ctx);
  if (!word) return;
  out.emit(mov.reg(R1, FLOW));
  castTo(ctx, BYTES);
  out.emit(ldx.dw(FLOW, R0, 8));
}

function needsIpv4Addresses(fields: ReadonlySet<FieldName>): boolean {
  return fields.has('ip.saddr') || fields.has('ip.daddr');
}

function needsIpv6Header(fields: ReadonlySet<FieldName>): boolean {
  return fields.has('ip6.saddr') || fields.has('ip6.daddr') || fields.has('ip6.hopLimit');
}

/** r7 = source << 32 | destination; r8 holds skb->data. */
function loadIpv4Addresses(ctx: HookContext): void {
  ctx.out.emit(mov.reg(R1, FLOW), add.imm(R1, 12));
  castTo(ctx, BYTES);
  ctx.out.emit(ldx.dw(ADDRESSES, R0, 0), endian.toBe(64, ADDRESSES));
}

/** r7 = IPv6 header; r8 holds skb->data. */
function castIpv6Header(ctx: HookContext): void {
  ctx.out.emit(mov.reg(R1, FLOW));
  castTo(ctx, 'ipv6hdr');
  ctx.out.emit(mov.reg(ADDRESSES, R0));
}

function emitIpv4(ctx: HookContext, fields: ReadonlySet<FieldName>, targets: PrologueTargets): void {
  const { out } = ctx;
  const slow = out.label('slow');
  loadData(ctx);
  if (needsIpv4Addresses(fields)) loadIpv4Addresses(ctx);
  out.emit(mov.reg(R1, FLOW));
  castTo(ctx, 'iphdr');
  out.emit(
    // r9 place of the transport header, r2 fragment offset, r3 protocol
    ldx.b(COUNTERS, R0, 0),
    and.imm(COUNTERS, 0x0f),
    lsh.imm(COUNTERS, 2),
    ldx.h(R2, R0, 6),
    endian.toBe(16, R2),
    and.imm(R2, FRAGMENT_MASK),
    ldx.b(R3, R0, 9),
  );
  emitFast(ctx, fields, slow, targets, () => out.emit(jne.imm(R2, 0, slow)));
  out.emit(at(slow), lsh.imm(R2, SUMMARY.fragmentShift), or.reg(R2, R3), mov.reg(FLOW, R2));
  emitSlow(ctx, fields, targets);
}

function emitIpv6(ctx: HookContext, fields: ReadonlySet<FieldName>, targets: PrologueTargets): void {
  const { out } = ctx;
  const [slow, summary, walk] = [out.label('slow'), out.label('summary'), out.label('walk')];
  loadData(ctx);
  castIpv6Header(ctx);
  // Read twice: what the test teaches the verifier of one register would make different flow words of the other.
  out.emit(ldx.b(R3, ADDRESSES, 6), ldx.b(R4, ADDRESSES, 6));
  jumpIfExtensionHeader(ctx, R4, walk);
  out.emit(mov.imm(COUNTERS, IPV6_HEADER));
  emitFast(ctx, fields, slow, targets);
  walkIpv6Headers(ctx, { start: walk, done: summary, first: R3, isExtension: jumpIfExtensionHeader });
  out.emit(at(slow), mov.reg(FLOW, R3), at(summary));
  emitSlow(ctx, fields, targets);
}

export const IPV6_HEADER = 40;
/** Headers that ipv6_find_hdr steps over: hop-by-hop 0, routing 43, fragment 44, authentication 51, destination 60. */
export const STEPPED_OVER = (1n << 0n) | (1n << 43n) | (1n << 44n) | (1n << 51n) | (1n << 60n);

/** Jumps if the header number in `register` is one of those; uses r1 and r2. */
export function jumpIfExtensionHeader(ctx: HookContext, register: number, label: Label): void {
  const { out } = ctx;
  const no = out.label('final');
  out.emit(
    jgt.imm(register, 63, no),
    mov.imm(R1, 1),
    lsh.reg(R1, register),
    lddw.imm(R2, STEPPED_OVER),
    and.reg(R1, R2),
    jne.imm(R1, 0, label),
    at(no),
  );
}

/**
 * The ordinary packet whose transport header is linear: r8 data, r9 place of the transport header, r3 protocol. Jumps to
 * `slow` with r2, r3 and r9 unchanged when it is not one.
 */
function emitFast(
  ctx: HookContext,
  fields: ReadonlySet<FieldName>,
  slow: Label,
  targets: PrologueTargets,
  further: () => void = () => {},
): void {
  const { out } = ctx;
  if (targets.normal === undefined) return;
  storeTransportOffset(ctx);
  further();
  out.emit(
    loadSkb(ctx, R1),
    loadMember(ctx, R4, R1, 'sk_buff.len'),
    loadMember(ctx, R5, R1, 'sk_buff.data_len'),
    sub.reg(R4, R5),
    sub.reg(R4, COUNTERS),
    jslt.imm(R4, TRANSPORT_BYTES, slow),
    mov.reg(R1, FLOW),
    add.reg(R1, COUNTERS),
    mov.reg(COUNTERS, R3),
  );
  castTo(ctx, BYTES);
  packNormal(ctx, fields, R0, 0);
  out.emit(ja(targets.normal));
}

/** Stores r9 if a rule needs the place of the transport header. */
function storeTransportOffset(ctx: HookContext): void {
  if (ctx.used.has('transportOffset')) ctx.out.emit(stx.w(R10, STACK.transportOffset, COUNTERS));
}

/** r8 = flow word of an ordinary packet from the header at `base + offset` and the protocol in r9. */
export function packNormal(ctx: HookContext, fields: ReadonlySet<FieldName>, base: number, offset: number): void {
  const { out } = ctx;
  loadPorts(ctx, base, offset);
  out.emit(
    mov.reg(FLOW, R1),
    rsh.imm(FLOW, 16),
    lsh.imm(FLOW, NORMAL_SHIFT.sport),
    and.imm(R1, 0xffff),
    lsh.imm(R1, NORMAL_SHIFT.dport),
    or.reg(FLOW, R1),
    or.reg(FLOW, COUNTERS),
  );
  if (fields.has('tcp.flags')) {
    out.emit(ldx.b(R1, base, offset + 13), lsh.imm(R1, NORMAL_SHIFT.flags), or.reg(FLOW, R1));
  }
  if (fields.has('tcp.headerLength')) {
    out.emit(
      ldx.b(R1, base, offset + 12),
      rsh.imm(R1, 4),
      lsh.imm(R1, 2 + NORMAL_SHIFT.headerLength),
      or.reg(FLOW, R1),
    );
  }
}

/** r1 = source port << 16 | destination port */
function loadPorts(ctx: HookContext, base: number, offset: number): void {
  ctx.out.emit(ldx.w(R1, base, offset), endian.toBe(32, R1));
}

/** Any packet: r8 summary, r9 place of the transport header. */
export function emitSlow(ctx: HookContext, fields: ReadonlySet<FieldName>, targets: PrologueTargets): void {
  const { out } = ctx;
  const odd = out.label('pack');
  // Through cells, so that nothing the verifier needs to know exactly from here on reaches back into the walk of IPv6
  // headers: it would differ in every round there, and the loop would never be known to repeat itself.
  out.emit(
    stx.w(R10, STACK.transportOffset, COUNTERS),
    ldx.w(COUNTERS, R10, STACK.transportOffset),
    stx.w(R10, STACK.valueCell, FLOW),
    ldx.w(FLOW, R10, STACK.valueCell),
  );
  copyTransportHeader(ctx);
  loadTransportLengthAtLeast0(ctx, R4);
  if (targets.normal !== undefined) {
    out.emit(jgt.imm(FLOW, 0xff, odd), jslt.imm(R4, TRANSPORT_BYTES, odd), mov.reg(COUNTERS, FLOW));
    packNormal(ctx, fields, R10, STACK.buffer);
    out.emit(ja(targets.normal), at(odd));
  }
  packOdd(ctx);
  forget(ctx);
  out.emit(ja(targets.odd));
}

/**
 * Makes r8 unknown to the verifier, without changing it: odd packets come on many paths that know different bits, and rules would
 * be looked at for each. A slot of which one byte was written alone is remembered as plain bytes.
 */
export function forget(ctx: HookContext): void {
  ctx.out.emit(
    stx.dw(R10, STACK.key, FLOW),
    mov.reg(R1, FLOW),
    rsh.imm(R1, 8),
    stx.b(R10, STACK.key + 1, R1),
    ldx.dw(FLOW, R10, STACK.key),
  );
}

/**
 * dst = max(0, skb->len - r9); uses r1. Without a branch: a path with a length that the verifier knows to be 0 would be one on
 * which it knows the bytes and so the flow word, and all rules would be looked at again for it.
 */
function loadTransportLengthAtLeast0(ctx: HookContext, dst: number): void {
  if (ctx.device !== undefined) ctx.out.emit(ldx.dw(dst, R10, DEVICE_STACK.length));
  else ctx.out.emit(loadSkb(ctx, R1), loadMember(ctx, dst, R1, 'sk_buff.len'));
  ctx.out.emit(sub.reg(dst, COUNTERS), mov.reg(R1, dst), arsh.imm(R1, 63), xor.imm(R1, -1), and.reg(dst, R1));
}

/** The first 20 bytes from the transport header on, as many as there are, into the zeroed buffer. */
function copyTransportHeader(ctx: HookContext): void {
  const { out } = ctx;
  const short = out.label('short');
  for (let offset = 0; offset < 24; offset += 8) out.emit(st.dw(R10, STACK.buffer + offset, 0));
  if (ctx.device !== undefined) {
    const none = out.label('none');
    loadTransportLengthAtLeast0(ctx, R2);
    out.emit(
      jle.imm(R2, TRANSPORT_BYTES, short),
      mov.imm(R2, TRANSPORT_BYTES),
      at(short),
      jle.imm(R2, 0, none),
      ...readFromFrame(ctx.device.kind),
      at(none),
    );
    return;
  }
  out.emit(
    loadSkb(ctx, R1),
    mov.imm(R2, 0),
    mov.reg(R3, R10),
    add.imm(R3, STACK.dynptr),
    call.kfunc('bpf_dynptr_from_skb'),
  );
  loadTransportLengthAtLeast0(ctx, R2);
  out.emit(
    jle.imm(R2, TRANSPORT_BYTES, short),
    mov.imm(R2, TRANSPORT_BYTES),
    at(short),
    mov.reg(R1, R10),
    add.imm(R1, STACK.buffer),
    mov.reg(R3, R10),
    add.imm(R3, STACK.dynptr),
    mov.reg(R4, COUNTERS),
    mov.imm(R5, 0),
    call.helper(HELPER.dynptrRead),
  );
}

/** r8 = flow word of an odd packet, from the buffer, the summary in r8 and the length in r4. */
export function packOdd(ctx: HookContext): void {
  const { out } = ctx;
  const clamp = out.label('clamp');
  out.emit(
    jle.imm(R4, ODD_LENGTH_MAX, clamp),
    mov.imm(R4, ODD_LENGTH_MAX),
    at(clamp),
    lsh.imm(R4, ODD_SHIFT.length),
    // protocol
    mov.reg(R3, FLOW),
    and.imm(R3, 0xff),
    lsh.imm(R3, ODD_SHIFT.protocol),
    or.reg(R4, R3),
    // fragment offset
    mov.reg(R3, FLOW),
    rsh.imm(R3, SUMMARY.fragmentShift),
    and.imm(R3, FRAGMENT_MASK),
    or.reg(R4, R3),
    // bad
    rsh.imm(FLOW, 31),
    lsh.imm(FLOW, ODD_SHIFT.broken),
    or.reg(R4, FLOW),
  );
  loadPorts(ctx, R10, STACK.buffer);
  out.emit(mov.reg(FLOW, R1), lsh.imm(FLOW, ODD_SHIFT.dport), or.reg(FLOW, R4));
}
