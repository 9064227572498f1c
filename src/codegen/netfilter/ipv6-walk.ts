/**
 * The IPv6 header chain, as ipv6_find_hdr(skb, &offset, -1, &fragoff, NULL) of Linux 6.18 walks it. Only packets with an
 * extension header come here. Headers are read through a dynptr, wherever they lie.
 */

import {
  add,
  and,
  at,
  call,
  endian,
  ja,
  jeq,
  jle,
  jlt,
  jne,
  jslt,
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
import { R0, R1, R2, R3, R4, R5, R10 } from '../../bpf/instruction.ts';
import { DEVICE_STACK, readFromFrame } from '../device/notes.ts';
import { type HookContext, loadMember, loadSkb } from './context.ts';
import { COUNTERS, FLOW, HELPER, STACK } from './layout.ts';

export interface WalkPlan {
  readonly start: Label;
  /** Where the walk ends, with the summary in r8 and the place of the transport header in r9. */
  readonly done: Label;
  /** Register that holds the fixed header's next-header field. */
  readonly first: number;
  readonly isExtension: (ctx: HookContext, register: number, label: Label) => void;
}

const HEADER = { routing: 43, fragment: 44, authentication: 51 } as const;
const FIXED_HEADER = 40;
/** Every header takes at least 8 bytes, so no packet has more. */
const MAX_HEADERS = 1 << 20;
/** The number of the current header and the place of the next byte to read. */
const [NEXT, PLACE] = [FLOW, COUNTERS];
/** Bytes of a header that are read at most, and those that must be there: any header 2, routing and fragment 4. */
const READ = 8;
const LEAST = 2;
const LEAST_LONG = 4;

export function walkIpv6Headers(ctx: HookContext, plan: WalkPlan): void {
  const { out } = ctx;
  const [head, step, extension, fragment, long, authentication, broken, later, found, end] = [
    'head',
    'step',
    'extension',
    'fragment',
    'long',
    'authentication',
    'broken',
    'later',
    'found',
    'end',
  ].map((hint) => out.label(hint)) as [Label, Label, Label, Label, Label, Label, Label, Label, Label, Label];

  out.emit(
    at(plan.start),
    mov.reg(NEXT, plan.first),
    mov.imm(PLACE, FIXED_HEADER),
    mov.reg(R1, R10),
    add.imm(R1, STACK.iterator),
    mov.imm(R2, 0),
    mov.imm(R3, MAX_HEADERS),
    call.kfunc('bpf_iter_num_new'),
    at(head),
    mov.reg(R1, R10),
    add.imm(R1, STACK.iterator),
    call.kfunc('bpf_iter_num_next'),
    jeq.imm(R0, 0, broken),
  );
  plan.isExtension(ctx, NEXT, extension);
  out.emit(ja(found), at(extension));

  readHeader(ctx, broken);
  out.emit(
    ldx.b(R2, R10, STACK.buffer + 1),
    jeq.imm(NEXT, HEADER.fragment, fragment),
    jeq.imm(NEXT, HEADER.authentication, authentication),
    jeq.imm(NEXT, HEADER.routing, long),
    at(step),
    // Hop-by-hop, destination, routing: units of 8 bytes, not counting the first.
    add.imm(R2, 1),
    lsh.imm(R2, 3),
    add.reg(PLACE, R2),
    ldx.b(NEXT, R10, STACK.buffer),
    ja(head),
    at(long),
    jlt.imm(R1, LEAST_LONG, broken),
    ja(step),
    at(authentication),
    add.imm(R2, 2),
    lsh.imm(R2, 2),
    add.reg(PLACE, R2),
    ldx.b(NEXT, R10, STACK.buffer),
    ja(head),
    at(fragment),
    jlt.imm(R1, LEAST_LONG, broken),
    ldx.h(R3, R10, STACK.buffer + 2),
    endian.toBe(16, R3),
    and.imm(R3, 0xfff8),
    jne.imm(R3, 0, later),
    mov.imm(R2, 0),
    ja(step),
  );
  // A later fragment is a protocol without a header; if the protocol is an extension header, nothing at all.
  out.emit(at(later), ldx.b(NEXT, R10, STACK.buffer));
  plan.isExtension(ctx, NEXT, broken);
  out.emit(
    ldx.h(R3, R10, STACK.buffer + 2),
    endian.toBe(16, R3),
    rsh.imm(R3, 3),
    lsh.imm(R3, 8),
    or.reg(NEXT, R3),
    mov.imm(PLACE, 0),
    ja(end),
    at(broken),
    lddw.imm(NEXT, 0x80000000n),
    mov.imm(PLACE, 0),
    at(found),
    at(end),
    mov.reg(R1, R10),
    add.imm(R1, STACK.iterator),
    call.kfunc('bpf_iter_num_destroy'),
    ja(plan.done),
  );
}

/** Reads up to 8 bytes of the current header into the buffer; r1 = how many. Fewer than 2: jump to `broken`. */
function readHeader(ctx: HookContext, broken: Label): void {
  const { out } = ctx;
  const short = out.label('short');
  out.emit(
    st.dw(R10, STACK.buffer, 0),
    ...(ctx.device === undefined
      ? [
          loadSkb(ctx, R1),
          mov.imm(R2, 0),
          mov.reg(R3, R10),
          add.imm(R3, STACK.dynptr),
          call.kfunc('bpf_dynptr_from_skb'),
          loadSkb(ctx, R1),
          loadMember(ctx, R2, R1, 'sk_buff.len'),
        ]
      : [ldx.dw(R2, R10, DEVICE_STACK.length)]),
    sub.reg(R2, PLACE),
    jslt.imm(R2, LEAST, broken),
    // Through a cell: the length must be exact to the verifier, and what it is made of would be from then on. The place
    // would then differ in every round, and the loop would never be known to repeat itself.
    stx.w(R10, STACK.valueCell, R2),
    ldx.w(R2, R10, STACK.valueCell),
    jle.imm(R2, READ, short),
    mov.imm(R2, READ),
    at(short),
    ...(ctx.device === undefined
      ? readThroughDynptr()
      : // Never 0, which the verifier has to be told.
        [jlt.imm(R2, LEAST, broken), ...readFromFrame(ctx.device.kind)]),
    ldx.w(R1, R10, STACK.valueCell),
  );
}

/** r2 bytes from the place in r9 on, into the buffer. */
function readThroughDynptr(): readonly CodeItem[] {
  return [
    mov.reg(R1, R10),
    add.imm(R1, STACK.buffer),
    mov.reg(R3, R10),
    add.imm(R3, STACK.dynptr),
    mov.reg(R4, PLACE),
    mov.imm(R5, 0),
    call.helper(HELPER.dynptrRead),
  ];
}
