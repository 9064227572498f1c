/**
 * Function of a TextScan: (r1 skb) -> r0 answer. Each round copies 40 bytes of the packet to the stack and compares the pattern's
 * first bytes, up to 8, at 32 places; where they are found, the rest is compared. r6 is the end of what is searched, r7 the place.
 */

import {
  add,
  and,
  at,
  call,
  ja,
  jgt,
  jle,
  jne,
  lddw,
  ldx,
  lsh,
  mov,
  or,
  rsh,
  st,
  stx,
  sub,
} from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 } from '../../../bpf/instruction.ts';
import { capital, type TextScan } from '../../../policy/scan-text.ts';
import { type HookContext, loadMember } from '../context.ts';
import { HELPER } from '../layout.ts';
import { emitFirstPiece, emitNextPiece } from './pieces.ts';
import { ANSWER, answers, beginLoop, endLoop, openPacket } from './reading.ts';

const [END, PLACE] = [R6, R7];
const WORD = 8;
/** Places looked at in a round, and the bytes that takes. */
const PLACES = 32;
const BYTES = PLACES + WORD;
/** Enough for 64 KiB in any number of pieces, and for patterns that nearly match everywhere. */
const MAX_ROUNDS = 1 << 18;

/** Bytes of the function's frame. */
export const TEXT_FRAME = 112;
/** Where things lie in it, above those of pieces.ts. */
const FRAME = { dynptr: -24, bytes: -64, cell: -68 } as const;

interface Compared {
  /** Offset in the pattern. */
  readonly offset: number;
  readonly mask: bigint;
  readonly value: bigint;
}

export function emitTextScan(ctx: HookContext, scan: TextScan): void {
  const { out } = ctx;
  const [found, over, none, further, verify] = ['found', 'over', 'none', 'further', 'verify'].map((hint) =>
    out.label(hint),
  ) as [Label, Label, Label, Label, Label];
  const length = scan.pattern.length / 2;
  const [first, ...others] = words(scan);

  if (scan.acrossPieces) out.emit(loadMember(ctx, END, R1, 'sk_buff.len'));
  else emitFirstPiece(ctx, END);
  clampEnd(ctx, scan);
  out.emit(mov.imm(PLACE, scan.from));
  forget(ctx, PLACE);
  openPacket(ctx);
  const head = beginLoop(ctx, MAX_ROUNDS, over);
  const again = out.label('again');
  out.emit(mov.reg(R1, PLACE), add.imm(R1, length), jgt.reg(R1, END, further));
  copyBytes(ctx, over);
  for (let word = 0; word < PLACES; word += WORD) {
    out.emit(ldx.dw(R8, R10, FRAME.bytes + word), ldx.dw(R9, R10, FRAME.bytes + word + WORD));
    for (let byte = 0; byte < WORD; byte++) compareAt(ctx, first!, byte, word + byte, verify);
  }
  out.emit(add.imm(PLACE, PLACES), ja(again));

  // The place is right for the first bytes; r2 is how far it lies behind the place of the round.
  out.emit(at(verify), add.reg(PLACE, R2));
  forget(ctx, PLACE);
  out.emit(mov.imm(R2, 0), mov.reg(R1, PLACE), add.imm(R1, length), jgt.reg(R1, END, further));
  const next = out.label('next');
  for (const word of others) compareRest(ctx, word, next, over);
  out.emit(ja(found), at(next), add.imm(PLACE, 1), at(again));
  forget(ctx, PLACE);
  out.emit(ja(head), at(further));
  if (!scan.acrossPieces) {
    emitNextPiece(ctx, { end: END, place: PLACE, from: scan.from, to: scan.to, over });
    clampEnd(ctx, scan);
    out.emit(ja(again));
  }
  out.emit(at(over));
  endLoop(ctx);
  out.emit(ja(none), at(found));
  endLoop(ctx);
  answers(ctx, [
    [out.label('yes'), ANSWER.yes],
    [none, ANSWER.no],
  ]);
}

/** Makes a number unknown to the verifier, as it must be at the head of a loop: else there is a round for everything known of it. */
function forget(ctx: HookContext, register: number): void {
  ctx.out.emit(stx.w(R10, FRAME.cell, register), ldx.w(register, R10, FRAME.cell));
}

/** The end is never behind the scan's own. */
function clampEnd(ctx: HookContext, { to }: TextScan): void {
  const inside = ctx.out.label('inside');
  ctx.out.emit(jle.imm(END, to, inside), mov.imm(END, to), at(inside));
  forget(ctx, END);
}

/** Copies what there is from the place on, at most 40 bytes; behind it zeros. */
function copyBytes(ctx: HookContext, over: Label): void {
  const { out } = ctx;
  const whole = out.label('whole');
  for (let offset = 0; offset < BYTES; offset += WORD) out.emit(st.dw(R10, FRAME.bytes + offset, 0));
  out.emit(
    // Through a cell: the length must be exact to the verifier, and what it is made of would be from then on.
    mov.reg(R1, END),
    sub.reg(R1, PLACE),
    stx.w(R10, FRAME.cell, R1),
    ldx.w(R2, R10, FRAME.cell),
    jle.imm(R2, BYTES, whole),
    mov.imm(R2, BYTES),
    at(whole),
    mov.reg(R1, R10),
    add.imm(R1, FRAME.bytes),
    mov.reg(R3, R10),
    add.imm(R3, FRAME.dynptr),
    mov.reg(R4, PLACE),
    mov.imm(R5, 0),
    call.helper(HELPER.dynptrRead),
    jne.imm(R0, 0, over),
  );
}

/** Compares the pattern's first bytes with those at `byte` of r8, r9; equal: to `verify` with the place in r2. */
function compareAt(ctx: HookContext, { mask, value }: Compared, byte: number, place: number, verify: Label): void {
  const { out } = ctx;
  const other = out.label('other');
  const bits = byte * 8;
  out.emit(mov.reg(R1, R8));
  if (bits > 0) {
    out.emit(rsh.imm(R1, bits));
    // Without the second word when the pattern does not reach into it.
    if (mask >> BigInt(64 - bits) !== 0n) out.emit(mov.reg(R2, R9), lsh.imm(R2, 64 - bits), or.reg(R1, R2));
  }
  maskAndJumpUnless(ctx, mask, value, other);
  out.emit(mov.imm(R2, place), ja(verify), at(other));
}

/** Compares further bytes of the pattern, reading them anew. */
function compareRest(ctx: HookContext, { offset, mask, value }: Compared, next: Label, over: Label): void {
  ctx.out.emit(
    st.dw(R10, FRAME.bytes, 0),
    mov.reg(R1, R10),
    add.imm(R1, FRAME.bytes),
    mov.imm(R2, bytesOf(mask)),
    mov.reg(R3, R10),
    add.imm(R3, FRAME.dynptr),
    mov.reg(R4, PLACE),
    add.imm(R4, offset),
    mov.imm(R5, 0),
    call.helper(HELPER.dynptrRead),
    jne.imm(R0, 0, over),
    ldx.dw(R1, R10, FRAME.bytes),
  );
  maskAndJumpUnless(ctx, mask, value, next);
}

const ONES = (1n << 64n) - 1n;

function maskAndJumpUnless(ctx: HookContext, mask: bigint, value: bigint, other: Label): void {
  const { out } = ctx;
  if (mask !== ONES) out.emit(lddw.imm(R3, mask), and.reg(R1, R3));
  out.emit(lddw.imm(R3, value), jne.reg(R1, R3, other));
}

/** How many low bytes have bits in a mask. */
function bytesOf(mask: bigint): number {
  return Math.ceil(mask.toString(2).length / 8);
}

/** The bit in which small letters differ from capitals. */
const SMALL = 0x20;

/** The pattern in words of eight bytes, as a little-endian load gives them; of a letter without case only some bits count. */
function words({ pattern, ignoreCase }: TextScan): readonly Compared[] {
  const bytes = (pattern.match(/../g) ?? []).map((digits) => Number.parseInt(digits, 16));
  const out: Compared[] = [];
  for (let offset = 0; offset < bytes.length; offset += WORD) {
    let [mask, value] = [0n, 0n];
    bytes.slice(offset, offset + WORD).forEach((byte, index) => {
      const letter = ignoreCase && capital(byte | SMALL) === byte && byte !== (byte | SMALL);
      mask |= BigInt(letter ? 0xff & ~SMALL : 0xff) << BigInt(8 * index);
      value |= BigInt(byte) << BigInt(8 * index);
    });
    out.push({ offset, mask, value });
  }
  return out;
}
