import { add, and, at, endian, exit, ja, jeq, jgt, jne, lddw, ldx, lsh, mov, stx } from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R0, R1, R2, R7, R8, R9, R10 } from '../../../bpf/instruction.ts';
import type { HookContext } from '../context.ts';
import { beginLoop, endLoop, FRAME, openPacket, readBytes } from './reading.ts';

const HEADER = { routing: 43, fragment: 44, authentication: 51 } as const;
/** Of the fixed header. */
export const NEXT_HEADER = 6;
export const FIXED_HEADER = 40;
/** Every header takes at least 8 bytes, so no packet has more. */
export const MAX_HEADERS = 1 << 20;
/** Headers that ipv6_find_hdr steps over: hop-by-hop 0, routing 43, fragment 44, authentication 51, destination 60. */
const STEPPED_OVER = (1n << 0n) | (1n << 43n) | (1n << 44n) | (1n << 51n) | (1n << 60n);

/** What the function answers instead of a place: there is no such header; the chain cannot be walked. */
export const ABSENT = 0;
export const BROKEN = 1;

/**
 * Function find_header(r1 skb, r2 number of an extension header) -> r0 place of the first such header (40 or more), ABSENT or
 * BROKEN: ipv6_find_hdr(skb, &offset, number, NULL, NULL) of Linux 6.18.
 */
export function emitFindHeader(ctx: HookContext): void {
  const { out } = ctx;
  const [step, long, broken, absent, found] = ['step', 'long', 'broken', 'absent', 'found'].map((hint) =>
    out.label(hint),
  ) as [Label, Label, Label, Label, Label];
  const unreadable = out.label('unreadable');
  const [target, next, place] = [R7, R8, R9];

  out.emit(mov.reg(target, R2));
  openPacket(ctx);
  out.emit(mov.imm(place, NEXT_HEADER));
  readBytes(ctx, { base: place, size: 1 }, unreadable);
  out.emit(ldx.b(next, R10, FRAME.buffer), mov.imm(place, FIXED_HEADER));
  const head = beginLoop(ctx, MAX_HEADERS, broken);
  jumpUnlessExtension(ctx, next, absent);
  readBytes(ctx, { base: place, size: 2 }, broken);
  out.emit(
    jeq.imm(next, HEADER.routing, long),
    jeq.imm(next, HEADER.fragment, long),
    at(step),
    jeq.reg(next, target, found),
  );
  emitStep(ctx, next, place);
  out.emit(ja(head), at(long));
  readBytes(ctx, { base: place, size: 4 }, broken);
  out.emit(
    jne.imm(next, HEADER.fragment, step),
    ldx.h(R1, R10, FRAME.buffer + 2),
    endian.toBe(16, R1),
    and.imm(R1, 0xfff8),
    jeq.imm(R1, 0, step),
    jne.reg(next, target, absent),
    // Through a cell: what the caller compares must not reach back into the loop, where the place differs in every round.
    at(found),
    stx.w(R10, FRAME.cell, place),
  );
  endLoop(ctx);
  out.emit(ldx.w(R0, R10, FRAME.cell), exit(), at(broken));
  endLoop(ctx);
  out.emit(at(unreadable), mov.imm(R0, BROKEN), exit(), at(absent));
  endLoop(ctx);
  out.emit(mov.imm(R0, ABSENT), exit());
}

/** To the next header: its number into `next`, its place into `place`. The current one's first two bytes are in the buffer. */
export function emitStep(ctx: HookContext, next: number, place: number): void {
  const { out } = ctx;
  const [fragment, authentication, forward] = [
    out.label('fragment'),
    out.label('authentication'),
    out.label('forward'),
  ];
  out.emit(
    ldx.b(R2, R10, FRAME.buffer + 1),
    jeq.imm(next, HEADER.fragment, fragment),
    jeq.imm(next, HEADER.authentication, authentication),
    add.imm(R2, 1),
    lsh.imm(R2, 3),
    ja(forward),
    at(authentication),
    add.imm(R2, 2),
    lsh.imm(R2, 2),
    ja(forward),
    at(fragment),
    mov.imm(R2, 8),
    at(forward),
    add.reg(place, R2),
    ldx.b(next, R10, FRAME.buffer),
  );
}

/** Jumps unless the header in `register` is one that is stepped over; uses r1 and r2. */
export function jumpUnlessExtension(ctx: HookContext, register: number, label: Label): void {
  ctx.out.emit(
    jgt.imm(register, 63, label),
    mov.imm(R1, 1),
    lsh.reg(R1, register),
    lddw.imm(R2, STEPPED_OVER),
    and.reg(R1, R2),
    jeq.imm(R1, 0, label),
  );
}
