/**
 * Function of an ExtensionHeaderScan: (r1 skb, r2 what find_header said) -> r0 answer. r6 is the packet's length, r7 the place of
 * the header; the first 16 bytes at most are in the buffer.
 */

import { add, and, at, endian, exit, jeq, jgt, jlt, ldx, lsh, mov, sub } from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R0, R1, R2, R6, R7, R10 } from '../../../bpf/instruction.ts';
import type { ExtensionHeaderScan, HeaderTest } from '../../../policy/scan.ts';
import type { Target } from '../branch.ts';
import { type HookContext, loadMember } from '../context.ts';
import { jumpIfInRanges } from '../ranges.ts';
import { jumpUnlessAddresses } from './addresses.ts';
import { BROKEN } from './find-header.ts';
import { jumpUnlessOptions } from './options.ts';
import { ANSWER, answers, FRAME, openPacket, readBytes } from './reading.ts';
import { jumpUnlessSegments } from './segments.ts';

export const LENGTH = R6;
export const PLACE = R7;

export function emitExtensionScan(ctx: HookContext, scan: ExtensionHeaderScan): void {
  const { out } = ctx;
  const [no, yes, unreadable, cut, go] = ['no', 'yes', 'unreadable', 'cut', 'found'].map((hint) => out.label(hint)) as [
    Label,
    Label,
    Label,
    Label,
    Label,
  ];
  out.emit(
    jgt.imm(R2, BROKEN, go),
    jeq.imm(R2, BROKEN, unreadable),
    mov.imm(R0, ANSWER.no),
    exit(),
    at(go),
    loadMember(ctx, LENGTH, R1, 'sk_buff.len'),
    mov.reg(PLACE, R2),
  );
  openPacket(ctx);
  readBytes(ctx, { base: PLACE, size: scan.least }, unreadable);
  if (scan.cut !== undefined) jumpUnlessWhole(ctx, scan.header, cut);
  for (const test of scan.tests) jumpUnless(ctx, test, scan.least, no);
  switch (scan.rest?.kind) {
    case 'options':
      jumpUnlessOptions(ctx, scan.rest, no);
      break;
    case 'addresses':
      jumpUnlessAddresses(ctx, scan.rest, no);
      break;
    case 'segments':
      jumpUnlessSegments(ctx, scan.rest, no);
      break;
    default:
  }
  answers(ctx, [
    [yes, ANSWER.yes],
    [no, ANSWER.no],
    [unreadable, ANSWER[scan.unreadable]],
    [cut, ANSWER[scan.cut ?? 'no']],
  ]);
}

/** Its length counts units of 4 bytes, not counting the first two; all others count 8 bytes, not counting the first. */
const AUTHENTICATION = 51;

function jumpUnlessWhole(ctx: HookContext, header: ExtensionHeaderScan['header'], cut: Label): void {
  const [more, unit] = header === AUTHENTICATION ? [2, 2] : [1, 3];
  ctx.out.emit(
    mov.reg(R1, LENGTH),
    sub.reg(R1, PLACE),
    ldx.b(R2, R10, FRAME.buffer + 1),
    add.imm(R2, more),
    lsh.imm(R2, unit),
    jlt.reg(R1, R2, cut),
  );
}

const LOAD = { 1: ldx.b, 2: ldx.h, 4: ldx.w } as const;

function jumpUnless(ctx: HookContext, test: HeaderTest, present: number, no: Label): void {
  const { offset, size, mask, ranges } = test;
  const { out } = ctx;
  const inBuffer = offset + size <= present;
  const where = inBuffer ? FRAME.buffer + offset : FRAME.second;
  if (!inBuffer) readBytes(ctx, { base: PLACE, offset, size, to: FRAME.second }, no);
  out.emit(LOAD[size](R1, R10, where));
  if (size > 1) out.emit(endian.toBe(size === 2 ? 16 : 32, R1));
  const ones = 2 ** (8 * size) - 1;
  if (mask !== undefined) out.emit(and.imm32(R1, mask));
  const target: Target = { label: no, leaves: false, elseLeaves: false };
  const wide = ranges.map(({ min, max }) => ({ min: BigInt(min), max: BigInt(max) }));
  jumpIfInRanges(ctx, { bits: 32, max: BigInt(mask ?? ones), ranges: wide }, false, target);
}
