/**
 * The beginning of a program on a device: where the IP packet lies in the frame, whether it is well formed, and the registers of the
 * rules (netfilter/layout.ts). It is what lies between the driver and the first table of netfilter: ip_rcv_core and ip6_rcv_core
 * discard what is malformed, and cut off what the link layer has added; here malformed packets are dropped.
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
} from '../../bpf/assembly.ts';
import type { Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R7, R8, R10 } from '../../bpf/instruction.ts';
import type { DeviceKind } from '../../device/hook.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { FieldName } from '../../policy/fields.ts';
import { MAP_NAMES } from '../compiled.ts';
import { castTo } from '../netfilter/cast.ts';
import { type HookContext, loadMember, releaseScratch } from '../netfilter/context.ts';
import { walkIpv6Headers } from '../netfilter/ipv6-walk.ts';
import { ADDRESSES, COUNTERS, CTX, FLOW, HELPER, STACK, TRANSPORT_BYTES } from '../netfilter/layout.ts';
import { emitSlow, jumpIfExtensionHeader, type PrologueTargets, packNormal, SUMMARY } from '../netfilter/prologue.ts';
import { loadFrameDevice } from '../xdp/frame-device.ts';
import { SUMMARY_CELL } from './answer-layout.ts';
import { DEVICE_STACK, type DeviceEnds, HEADER_BYTES, loadBytes, loadToNotes, NOTES, SK_BUFF_MD } from './notes.ts';

/** Whether frames of the device begin with an Ethernet header, or with the IP header. */
export type LinkLayer = 'ethernet' | 'none';

/** Ethernet types as a little-endian machine loads them. */
const TYPE = { ipv4: 0x0008, ipv6: 0xdd86, vlan: 0x0081, service: 0xa888 } as const;
const ETHERNET_BYTES = 14;
const TAG_BYTES = 4;
/** Tags in the frame that are looked through: those of a customer and of a provider (802.1Q, 802.1ad). */
export const MOST_TAGS = 2;

const XDP_FRAME_LENGTH = 188;
const CSUM_DIFF = 28;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;

/** r9 = this CPU's notes and counters. */
function loadNotes(ctx: HookContext, drop: Label): void {
  ctx.out.emit(
    call.helper(HELPER.cpu),
    // Never true; it gives the verifier the bound of the offset.
    jge.imm(R0, ctx.facts.possibleCpus, drop),
    mul.imm(R0, ctx.counterStride),
    lddw.mapValue(COUNTERS, MAP_NAMES.counters),
    add.reg(COUNTERS, R0),
  );
}

/**
 * From the frame to the family's prologue, with r7 = bytes from the IP header on. `families`: where packets of each go; what is neither
 * passes.
 */
export function emitFrame(
  ctx: HookContext,
  kind: DeviceKind,
  link: LinkLayer,
  families: Readonly<Record<Family, Label>>,
  ends: DeviceEnds,
): void {
  const { out } = ctx;
  out.emit(mov.reg(CTX, R1));
  loadNotes(ctx, ends.drop);
  if (kind === 'xdp') loadFrameDevice(ctx);
  else {
    out.emit(mov.reg(R1, CTX), call.kfunc('bpf_cast_to_kern_ctx'), mov.reg(R1, R0));
    castTo(ctx, 'sk_buff');
    out.emit(loadMember(ctx, R1, R0, 'sk_buff.dev'));
  }
  out.emit(stx.dw(COUNTERS, NOTES.device, R1), st.dw(COUNTERS, NOTES.entry, 0));
  if (kind === 'xdp') out.emit(mov.reg(R1, CTX), call.helper(XDP_FRAME_LENGTH), mov.reg(R7, R0));
  else out.emit(ldx.w(R7, CTX, SK_BUFF_MD.len));
  if (link === 'none') {
    // No header: no type either.
    out.emit(st.w(COUNTERS, NOTES.frame + 12, 0), st.w(COUNTERS, NOTES.place, 0), ldx.w(R8, CTX, SK_BUFF_MD.protocol));
    dispatch(ctx, families, ends);
    return;
  }
  out.emit(...loadToNotes(kind, 0, NOTES.frame, ETHERNET_BYTES), jne.imm(R0, 0, ends.drop));
  out.emit(ldx.h(R8, COUNTERS, NOTES.frame + 12));
  for (let tags = 0; tags <= MOST_TAGS; tags++) {
    const [tag, final, behind] = [out.label('tag'), out.label('untagged'), out.label('behind')];
    const place = ETHERNET_BYTES + tags * TAG_BYTES;
    out.emit(jeq.imm(R8, TYPE.vlan, tag), jne.imm(R8, TYPE.service, final), at(tag));
    // More tags than anybody has a use for hide what they carry.
    if (tags === MOST_TAGS) out.emit(ja(ends.drop));
    else {
      out.emit(...loadToNotes(kind, place, NOTES.tag, TAG_BYTES), jne.imm(R0, 0, ends.drop));
      out.emit(ldx.h(R8, COUNTERS, NOTES.tag + 2), ja(behind));
    }
    out.emit(at(final), st.w(COUNTERS, NOTES.place, place), sub.imm(R7, place));
    dispatch(ctx, families, ends);
    out.emit(at(behind));
  }
}

function dispatch({ out }: HookContext, families: Readonly<Record<Family, Label>>, ends: DeviceEnds): void {
  out.emit(jeq.imm(R8, TYPE.ipv4, families.ipv4), jeq.imm(R8, TYPE.ipv6, families.ipv6), ja(ends.pass));
}

/** From the IP header to the rules. Before: r7 bytes from the IP header on, r9 notes. `look`: what else is prepared of the packet. */
export function emitPacket(
  ctx: HookContext,
  kind: DeviceKind,
  fields: ReadonlySet<FieldName>,
  targets: PrologueTargets | { readonly plain: Label },
  drop: Label,
  look: () => void,
): void {
  copyHeader(ctx, kind, drop);
  if (ctx.family === 'ipv4') checkIpv4(ctx, kind, drop);
  else checkIpv6(ctx, drop);
  // r5 length
  ctx.out.emit(jgt.reg(R5, R7, drop), stx.w(COUNTERS, NOTES.length, R5));
  look();
  if (ctx.family === 'ipv4') beginIpv4(ctx, fields, targets);
  else beginIpv6(ctx, fields, targets);
}

/** The beginning of the packet into the notes. */
function copyHeader(ctx: HookContext, kind: DeviceKind, drop: Label): void {
  const { out } = ctx;
  const [some, least] = [out.label('some'), ctx.family === 'ipv4' ? IPV4_HEADER : IPV6_HEADER];
  out.emit(
    mov.reg(R4, R7),
    jslt.imm(R4, least, drop),
    jle.imm(R4, HEADER_BYTES, some),
    mov.imm(R4, HEADER_BYTES),
    at(some),
    ldx.w(R2, COUNTERS, NOTES.place),
    mov.reg(R3, COUNTERS),
    add.imm(R3, NOTES.header),
    ...loadBytes(kind),
    jne.imm(R0, 0, drop),
  );
}

/** r5 = length of the packet, r8 = of its header. */
function checkIpv4(ctx: HookContext, kind: DeviceKind, drop: Label): void {
  const { out } = ctx;
  const whole = out.label('whole');
  const header = NOTES.header;
  out.emit(
    ldx.b(R1, COUNTERS, header),
    mov.reg(R8, R1),
    rsh.imm(R1, 4),
    jne.imm(R1, 4, drop),
    and.imm(R8, 0x0f),
    lsh.imm(R8, 2),
    jlt.imm(R8, IPV4_HEADER, drop),
    jgt.reg(R8, R7, drop),
    // The checksum.
    mov.imm(R1, 0),
    mov.imm(R2, 0),
    mov.reg(R3, COUNTERS),
    add.imm(R3, header),
    mov.reg(R4, R8),
    mov.imm(R5, 0),
    call.helper(CSUM_DIFF),
  );
  for (let fold = 0; fold < 2; fold++)
    out.emit(mov.reg32(R1, R0), rsh.imm(R1, 16), and.imm(R0, 0xffff), add.reg(R0, R1));
  out.emit(jne.imm(R0, 0xffff, drop), ldx.h(R5, COUNTERS, header + 2), endian.toBe(16, R5));
  if (kind !== 'xdp') {
    // Aggregates too long for the field have none (BIG TCP).
    out.emit(jne.imm(R5, 0, whole), ldx.w(R1, CTX, SK_BUFF_MD.gsoSize), jeq.imm(R1, 0, drop), mov.reg(R5, R7));
    out.emit(at(whole));
  }
  out.emit(jlt.reg(R5, R8, drop));
}

/** r5 = length of the packet. */
function checkIpv6(ctx: HookContext, drop: Label): void {
  const { out } = ctx;
  const [known, plain] = [out.label('known'), out.label('plain')];
  const header = NOTES.header;
  out.emit(
    ldx.b(R1, COUNTERS, header),
    rsh.imm(R1, 4),
    jne.imm(R1, 6, drop),
    ldx.h(R5, COUNTERS, header + 4),
    endian.toBe(16, R5),
    jne.imm(R5, 0, plain),
    // Without a length and with hop-by-hop options it is a jumbogram.
    ldx.b(R1, COUNTERS, header + 6),
    jne.imm(R1, 0, plain),
    mov.reg(R5, R7),
    ja(known),
    at(plain),
    add.imm(R5, IPV6_HEADER),
    at(known),
  );
}

function beginIpv4(
  ctx: HookContext,
  fields: ReadonlySet<FieldName>,
  targets: PrologueTargets | { readonly plain: Label },
): void {
  const { out } = ctx;
  const header = NOTES.header;
  out.emit(ldx.dw(ADDRESSES, COUNTERS, header + 12), endian.toBe(64, ADDRESSES));
  if ('plain' in targets) {
    out.emit(ldx.dw(FLOW, COUNTERS, header + 8), ja(targets.plain));
    return;
  }
  const slow = out.label('slow');
  out.emit(
    // r8 place of the transport header, r2 fragment offset, r3 protocol
    ldx.b(R8, COUNTERS, header),
    and.imm(R8, 0x0f),
    lsh.imm(R8, 2),
    ldx.h(R2, COUNTERS, header + 6),
    endian.toBe(16, R2),
    and.imm(R2, 0x1fff),
    ldx.b(R3, COUNTERS, header + 9),
  );
  if (targets.normal !== undefined) {
    out.emit(
      jne.imm(R2, 0, slow),
      ldx.w(R4, COUNTERS, NOTES.length),
      sub.reg(R4, R8),
      jlt.imm(R4, TRANSPORT_BYTES, slow),
    );
    if (ctx.used.has('transportOffset')) out.emit(stx.w(R10, STACK.transportOffset, R8));
    storeSummary(ctx, R3);
    out.emit(mov.reg(R0, COUNTERS), add.reg(R0, R8), mov.reg(COUNTERS, R3));
    packNormal(ctx, fields, R0, header);
    out.emit(ja(targets.normal));
  }
  out.emit(at(slow));
  storeForWalks(ctx);
  out.emit(mov.reg(COUNTERS, R8), lsh.imm(R2, SUMMARY.fragmentShift), or.reg(R2, R3), mov.reg(FLOW, R2));
  storeSummary(ctx, FLOW);
  emitSlow(ctx, fields, behindWalks(ctx, targets));
}

function beginIpv6(
  ctx: HookContext,
  fields: ReadonlySet<FieldName>,
  targets: PrologueTargets | { readonly plain: Label },
): void {
  const { out } = ctx;
  const header = NOTES.header;
  out.emit(mov.reg(ADDRESSES, COUNTERS), add.imm(ADDRESSES, header));
  if ('plain' in targets) {
    out.emit(mov.imm(FLOW, 0), ja(targets.plain));
    return;
  }
  const [slow, summary, walk] = [out.label('slow'), out.label('summary'), out.label('walk')];
  // Read twice, as at netfilter.
  out.emit(ldx.b(R3, COUNTERS, header + 6), ldx.b(R4, COUNTERS, header + 6));
  jumpIfExtensionHeader(ctx, R4, walk);
  if (targets.normal !== undefined) {
    out.emit(ldx.w(R4, COUNTERS, NOTES.length), jlt.imm(R4, IPV6_HEADER + TRANSPORT_BYTES, slow));
    if (ctx.used.has('transportOffset')) out.emit(st.w(R10, STACK.transportOffset, IPV6_HEADER));
    storeSummary(ctx, R3);
    out.emit(mov.reg(R0, COUNTERS), mov.reg(COUNTERS, R3));
    packNormal(ctx, fields, R0, header + IPV6_HEADER);
    out.emit(ja(targets.normal));
  }
  out.emit(at(slow));
  storeForWalks(ctx);
  out.emit(mov.imm(COUNTERS, IPV6_HEADER), mov.reg(FLOW, R3), ja(summary));
  const start = out.label('start');
  out.emit(at(walk));
  storeForWalks(ctx);
  walkIpv6Headers(ctx, { start, done: summary, first: R3, isExtension: jumpIfExtensionHeader });
  out.emit(at(summary));
  storeSummary(ctx, FLOW);
  emitSlow(ctx, fields, behindWalks(ctx, targets));
}

/** What an answer to the packet has to know of it (answer.ts). */
function storeSummary({ out, used }: HookContext, register: number): void {
  if (used.has('summary')) out.emit(stx.w(R10, SUMMARY_CELL, register));
}

/** What the walks need of the notes, while r9 holds a place in the packet. Uses r1. */
function storeForWalks({ out }: HookContext): void {
  out.emit(
    ldx.w(R1, COUNTERS, NOTES.length),
    stx.dw(R10, DEVICE_STACK.length, R1),
    ldx.w(R1, COUNTERS, NOTES.place),
    stx.dw(R10, DEVICE_STACK.place, R1),
  );
}

/** The same targets, reached with the walks' cells released. */
function behindWalks(ctx: HookContext, targets: PrologueTargets): PrologueTargets {
  const { out } = ctx;
  const over = out.label('prologue');
  out.emit(ja(over));
  const behind = (label: Label): Label => {
    const released = out.label('released');
    out.emit(at(released));
    releaseScratch(ctx, DEVICE_STACK.length, DEVICE_STACK.place);
    out.emit(ja(label));
    return released;
  };
  const result = {
    odd: behind(targets.odd),
    ...(targets.normal === undefined ? {} : { normal: behind(targets.normal) }),
  };
  out.emit(at(over));
  return result;
}
