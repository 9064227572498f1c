/**
 * The walk through the parts of a region (classify/image.ts) as code. A loop for each part, not an unrolled walk: a level has no jump but its
 * exit, so the verifier sees each level once.
 */
import {
  add,
  and,
  at,
  div,
  ja,
  jeq,
  jge,
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
  xor,
} from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 } from '../../../bpf/instruction.ts';
import { HASH_FINAL, type HashSpec } from '../../../classify/hash.ts';
import { REGION, TABLES } from '../../../classify/image.ts';
import { CHILD_SHIFT, LEAF, SLOT_ROWS } from '../../../classify/slots.ts';
import type { LookupContext } from './context.ts';
import { emitWords } from './key.ts';
import { emitLeaf } from './leaf.ts';

const SAVED = [R6, R7, R8, R9] as const;
/** Sixteen dimensions: the byte offset of one in the key. */
const KEY_MASK = 0x3c;

/**
 * With the key on the stack: notes in the frame's cells `order` and `row` what was found. `guards`: numbers of the guards that are asked, if
 * their bits stand in the cell. Uses r0..r5; r6..r9 are as before.
 */
export function emitWalk(look: LookupContext, guards: readonly number[]): void {
  const { ctx, shape, frame, map } = look;
  const { out } = ctx;
  SAVED.forEach((register, i) => {
    out.emit(stx.dw(R10, frame.saved[i]!, register));
  });
  emitWords(ctx, shape.plan, frame);
  if (look.loop) out.emit(st.w(R10, frame.leaf, 1), st.w(R10, frame.row, 1));
  out.emit(
    st.w(R10, frame.order, -1),
    lddw.mapValue(R1, map, REGION.active),
    ldx.w(R2, R1, 0),
    and.imm(R2, TABLES - 1),
    lsh.imm(R2, Math.log2(REGION.firstOrderTable)),
    lddw.mapValue(R1, map, REGION.firstOrders),
    add.reg(R1, R2),
    stx.dw(R10, frame.firstOrders, R1),
    lsh.imm(R2, Math.log2(REGION.descriptorTable / REGION.firstOrderTable)),
    lddw.mapValue(R1, map, REGION.descriptors),
    add.reg(R1, R2),
    stx.dw(R10, frame.descriptors, R1),
  );
  const ofRules = shape.guards[0]?.from ?? shape.places.length;
  for (let place = 0; place < ofRules; place++) emitPart(look, place);
  if (guards.length > 0) {
    const none = out.label('unbroken');
    out.emit(ldx.w(R1, R10, frame.guards), jeq.imm32(R1, 0, none));
    for (const guard of guards) {
      const { from, to } = shape.guards[guard]!;
      const holds = out.label('holds');
      const not = out.label('not');
      out.emit(ldx.w(R1, R10, frame.guards), jset.imm(R1, 1 << guard, holds), ja(not), at(holds));
      for (let place = from; place < to; place++) emitPart(look, place);
      out.emit(at(not));
    }
    out.emit(at(none));
  }
  SAVED.forEach((register, i) => {
    out.emit(ldx.dw(register, R10, frame.saved[i]!));
  });
}

/** One part: nothing is done when there is none, or all its rows come after what was found. */
function emitPart(look: LookupContext, place: number): void {
  const { ctx, shape, frame } = look;
  const { out } = ctx;
  const next = out.label('next');
  if (place > 0) {
    out.emit(
      ldx.dw(R1, R10, frame.firstOrders),
      ldx.w(R1, R1, 4 * place),
      ldx.w(R2, R10, frame.order),
      jge.reg(R1, R2, next),
    );
  }
  out.emit(
    ldx.dw(R1, R10, frame.descriptors),
    ldx.dw(R0, R1, REGION.descriptorBytes * place),
    mov.reg(R1, R0),
    rsh.imm(R1, 32),
    jeq.imm(R1, 0, next),
    mov.reg32(R0, R0),
  );
  addBucket(look, shape.places[place]!.hash);
  if (shape.places[place]!.ordered === true) skipSlots(look);
  emitPath(look, next);
  emitLeaf(look, next);
  out.emit(at(next));
  if (look.loop) out.emit(st.dw(R10, frame.leafSlots, 0));
}

/** r0 += the bucket of the key. */
function addBucket({ ctx, frame }: LookupContext, hash: HashSpec | undefined): void {
  if (hash === undefined) return;
  const { out } = ctx;
  out.emit(mov.imm(R2, 0));
  hash.dimensions.forEach((d, i) => {
    out.emit(ldx.w(R1, R10, frame.key + 4 * d), mul.imm32(R1, hash.multipliers[i]! | 0), add.reg32(R2, R1));
  });
  out.emit(
    mov.reg32(R1, R2),
    rsh.imm32(R1, 16),
    xor.reg32(R2, R1),
    mul.imm32(R2, HASH_FINAL | 0),
    rsh.imm32(R2, 32 - hash.bits),
    add.reg(R0, R2),
  );
}

/** r0 += slots of an ordered part whose rows come before the order that is looked from. */
function skipSlots({ ctx: { out }, frame, goesOn }: LookupContext): void {
  if (goesOn) out.emit(ldx.w(R1, R10, frame.from), rsh.imm(R1, 1), div.imm(R1, SLOT_ROWS), add.reg(R0, R1));
}

/** From slot r0 to a leaf: its address in r1, its byte offset in r0. */
function emitPath({ ctx, shape, frame, map }: LookupContext, next: Label): void {
  const { out } = ctx;
  const [level, leaf] = [out.label('level'), out.label('leaf')];
  out.emit(
    mov.imm(R5, shape.maxDepth + 1),
    at(level),
    jge.imm(R0, shape.layout.heapSlots, next),
    lsh.imm(R0, 5),
    lddw.mapValue(R1, map, shape.layout.heap),
    add.reg(R1, R0),
    ldx.w(R2, R1, 0),
    jset.imm(R2, LEAF, leaf),
    mov.reg(R3, R2),
    and.imm(R3, KEY_MASK),
    mov.reg(R4, R10),
    add.reg(R4, R3),
    ldx.w(R4, R4, frame.key),
    rsh.imm(R2, CHILD_SHIFT),
  );
  for (let i = 1; i <= 7; i++) out.emit(ldx.w(R3, R1, 4 * i), sub.reg(R3, R4), rsh.imm(R3, 63), add.reg(R2, R3));
  out.emit(mov.reg(R0, R2), add.imm(R5, -1), jne.imm(R5, 0, level), ja(next), at(leaf));
}
