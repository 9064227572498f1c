/** What a look-up knows of the packet: every dimension as a u32 on the stack, then the lane words that boxes are compared with. */
import { add, and, at, endian, lddw, ldx, lsh, mov, or, rsh, st, stx, sub } from '../../../bpf/assembly.ts';
import { R1, R2, R3, R6, R7, R8, R9, R10 } from '../../../bpf/instruction.ts';
import { type Dimension, dimensionValue } from '../../../classify/dimension.ts';
import type { LanePlan } from '../../../classify/lanes.ts';
import { fieldMax } from '../../../policy/expr.ts';
import { FIELDS } from '../../../policy/fields.ts';
import { type Known, ORDINARY } from '../assume.ts';
import type { BodyContext } from '../context.ts';
import { isWide, loadField, loadHalf } from '../fields.ts';
import { STACK } from '../layout.ts';
import { jumpIf } from '../test.ts';
import { type LookupFrame, WORDS_IN_REGISTERS } from './frame.ts';

/** Stores all dimensions. Uses r0..r5 and the cell `valueCell`. */
export function emitKey(ctx: BodyContext, dimensions: readonly Dimension[], frame: LookupFrame): void {
  const { out } = ctx;
  dimensions.forEach((dimension, d) => {
    loadDimension(ctx, dimension);
    out.emit(stx.w(R10, frame.key + 4 * d, R1));
  });
}

/** r1 = the dimension's value, unknown to the verifier. */
function loadDimension(ctx: BodyContext, dimension: Dimension): void {
  const { field, mask, part } = dimension;
  const known = ctx.packets === 'ordinary' ? (ORDINARY[ctx.family] as Known)[field] : undefined;
  if (known !== undefined && known.min === known.max) {
    // Such a field is not to be found in this copy's packets: it need not be looked for.
    ctx.out.emit(mov.imm32(R1, dimensionValue(dimension, known.min) | 0));
    return;
  }
  switch (part.kind) {
    case 'whole':
      loadField(ctx, field);
      maskTo(ctx, mask);
      return;
    case 'word':
      loadWord(ctx, dimension, part.word);
      return;
    case 'rank':
      if (isWide(ctx, field)) loadWideRank(ctx, dimension, part.boundaries);
      else loadRank(ctx, dimension, part.boundaries);
      return;
  }
}

function maskTo(ctx: BodyContext, mask: bigint | undefined): void {
  if (mask !== undefined) ctx.out.emit(lddw.imm(R2, mask), and.reg(R1, R2));
}

/** 32 bits of a field with more; word 0 is the topmost. */
function loadWord(ctx: BodyContext, { field, mask }: Dimension, word: number): void {
  const { out } = ctx;
  const below = Math.ceil(FIELDS[field].bits / 32) - 1 - word;
  if (isWide(ctx, field)) {
    loadHalf(ctx, field, below >= 2 ? 'high' : 'low');
    out.emit(endian.toBe(64, R1));
  } else {
    // An IPv4 address in a field with room for more has only the lowest words.
    if (below >= 2) {
      out.emit(mov.imm(R1, 0));
      return;
    }
    loadField(ctx, field);
  }
  out.emit(...(below % 2 === 1 ? [rsh.imm(R1, 32)] : [mov.reg32(R1, R1)]));
  maskTo(ctx, mask === undefined ? undefined : (mask >> BigInt(32 * below)) & 0xffffffffn);
}

/** How many boundaries the field exceeds, without a branch: (b - value) is negative for each. */
function loadRank(ctx: BodyContext, { field, mask }: Dimension, boundaries: readonly bigint[]): void {
  const { out } = ctx;
  loadField(ctx, field);
  maskTo(ctx, mask);
  out.emit(mov.imm(R3, 0));
  for (const boundary of boundaries) {
    out.emit(lddw.imm(R2, boundary & SIGNED_MAX), sub.reg(R2, R1), rsh.imm(R2, 63), add.reg(R3, R2));
  }
  out.emit(mov.reg(R1, R3));
}

const SIGNED_MAX = (1n << 63n) - 1n;

/** The same for 128 bits: compared one after the other. The number goes through a cell, so that the verifier forgets it. */
function loadWideRank(ctx: BodyContext, { field, mask }: Dimension, boundaries: readonly bigint[]): void {
  const { out } = ctx;
  const done = out.label('rank');
  const max = mask ?? fieldMax(field);
  out.emit(st.w(R10, STACK.valueCell, 1));
  boundaries.forEach((boundary, index) => {
    const above = {
      kind: 'test',
      field,
      ...(mask === undefined ? {} : { mask }),
      ranges: [{ min: boundary + 1n, max }],
    } as const;
    jumpIf(ctx, above, false, { label: done, leaves: false, elseLeaves: false });
    out.emit(st.w(R10, STACK.valueCell, index + 2));
  });
  out.emit(at(done), ldx.w(R1, R10, STACK.valueCell), sub.imm(R1, 1));
}

/** r6..r9 = K and K | H of two words; more lie on the stack. Uses r1, r2. */
export function emitWords(ctx: BodyContext, plan: LanePlan, frame: LookupFrame): void {
  const { out } = ctx;
  out.emit(lddw.imm(R2, plan.guards));
  for (let w = 0; w < plan.words; w++) {
    const [k, kh] = w === 1 ? [R8, R9] : [R6, R7];
    let first = true;
    plan.lanes.forEach(({ word, shift }, d) => {
      if (word !== w) return;
      const value = first ? k : R1;
      out.emit(ldx.w(value, R10, frame.key + 4 * d));
      if (shift > 0) out.emit(lsh.imm(value, shift));
      if (!first) out.emit(or.reg(k, R1));
      first = false;
    });
    out.emit(mov.reg(kh, k), or.reg(kh, R2));
    if (plan.words > WORDS_IN_REGISTERS)
      out.emit(stx.dw(R10, wordPlace(frame, w).k, k), stx.dw(R10, wordPlace(frame, w).kh, kh));
  }
}

/** Where a word lies that has no register. */
export function wordPlace(frame: LookupFrame, word: number): { readonly k: number; readonly kh: number } {
  return { k: frame.words + 16 * word, kh: frame.words + 16 * word + 8 };
}
