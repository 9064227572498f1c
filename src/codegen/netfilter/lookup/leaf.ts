/** The end of a walk: the rows of a leaf, compared one after the other. */
import { add, and, at, call, ja, jeq, jge, jgt, jne, lddw, ldx, lsh, mov, stx, sub } from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 } from '../../../bpf/instruction.ts';
import { PAYLOAD, REGION } from '../../../classify/image.ts';
import { type LanePlan, recordBytes } from '../../../classify/lanes.ts';
import { FIRST_ROW_WORD, LEAF_CONTINUES, SLOT_BYTES, SLOT_ROWS } from '../../../classify/slots.ts';
import type { LookupContext } from './context.ts';
import { WORDS_IN_REGISTERS } from './frame.ts';
import { wordPlace } from './key.ts';

/**
 * r1 the leaf's slot, r0 its byte offset in the heap. Notes the first row that matches, if it comes before what was found. Goes to `next`.
 * Nearly all leaves are one slot. The others are gone through with an iterator: in rounds that it counts itself the verifier
 * keeps few states, and the ways through the rows of a slot would multiply.
 */
export function emitLeaf(look: LookupContext, next: Label): void {
  const { ctx, shape, frame } = look;
  const { out } = ctx;
  const [chunk, first, later, done] = [out.label('leaf'), out.label('match'), out.label('match'), out.label('done')];
  const iterator = [mov.reg(R1, R10), add.imm(R1, frame.leafSlots)];
  out.emit(stx.w(R10, frame.leaf, R0));
  emitChunk(look, next, first);
  onToNextSlot(look, next);
  out.emit(
    ...iterator,
    mov.imm(R2, 0),
    mov.imm(R3, shape.maxLeafSlots),
    call.kfunc('bpf_iter_num_new'),
    at(chunk),
    ...iterator,
    call.kfunc('bpf_iter_num_next'),
    jeq.imm(R0, 0, done),
    ldx.w(R0, R10, frame.leaf),
    jge.imm(R0, shape.layout.heapSlots * SLOT_BYTES, done),
    lddw.mapValue(R1, look.map, shape.layout.heap),
    add.reg(R1, R0),
  );
  emitChunk(look, done, later);
  onToNextSlot(look, done);
  out.emit(ja(chunk), at(later));
  storeMatch(look);
  out.emit(at(done), ...iterator, call.kfunc('bpf_iter_num_destroy'), ja(next), at(first));
  storeMatch(look);
}

/** The rows of one slot at r1; falls through behind the last. */
function emitChunk(look: LookupContext, next: Label, match: Label): void {
  const { ctx, shape, map, frame, goesOn } = look;
  const { out } = ctx;
  const { layout, plan } = shape;
  out.emit(
    // A leaf without rows may point right behind the last slot.
    ldx.w(R3, R1, 4),
    jgt.imm(R3, layout.heapSlots, next),
    lsh.imm(R3, 5),
    lddw.mapValue(R2, map, layout.heap),
    add.reg(R3, R2),
  );
  for (let i = 0; i < SLOT_ROWS; i++) {
    const other = out.label('row');
    out.emit(ldx.w(R5, R1, 4 * (FIRST_ROW_WORD + i)), jge.imm(R5, layout.rowCapacity, next));
    containsRow(look, i * recordBytes(plan));
    out.emit(jne.reg(R4, R0, other));
    loadOrder(look);
    if (goesOn) out.emit(ldx.w(R4, R10, frame.from), jgt.reg(R4, R2, other));
    // Not before what was found; or it was taken away, and then another may match.
    out.emit(ldx.w(R4, R10, frame.order), jgt.reg(R4, R2, match), at(other));
  }
}

/** Names the next slot in the frame's cell, if the leaf has one. */
function onToNextSlot({ ctx: { out }, frame }: LookupContext, end: Label): void {
  out.emit(
    ldx.w(R2, R1, 0),
    and.imm(R2, LEAF_CONTINUES),
    jeq.imm(R2, 0, end),
    ldx.w(R0, R10, frame.leaf),
    add.imm(R0, SLOT_BYTES),
    stx.w(R10, frame.leaf, R0),
  );
}

function storeMatch({ ctx: { out }, frame }: LookupContext): void {
  out.emit(stx.w(R10, frame.order, R2), stx.w(R10, frame.row, R5));
}

/** r2 = order of row r5. Uses r0. */
function loadOrder({ ctx, map }: LookupContext): void {
  ctx.out.emit(
    mov.reg(R0, R5),
    lsh.imm(R0, 4),
    lddw.mapValue(R2, map, REGION.payload),
    add.reg(R2, R0),
    ldx.w(R2, R2, PAYLOAD.order),
  );
}

/** r3 + offset: the record. Leaves the guard bits in r0 and those that are left in r4; uses r2. */
function containsRow({ ctx, shape: { plan }, frame }: LookupContext, offset: number): void {
  const { out } = ctx;
  const here = plan.words <= WORDS_IN_REGISTERS;
  for (let w = 0; w < plan.words; w++) {
    const left = w === 0 ? R4 : R2;
    const record = offset + 16 * w;
    out.emit(here ? mov.reg(left, w === 0 ? R7 : R9) : ldx.dw(left, R10, wordPlace(frame, w).kh));
    out.emit(ldx.dw(R0, R3, record), sub.reg(left, R0));
    if (w > 0) out.emit(and.reg(R4, R2));
    out.emit(ldx.dw(R0, R3, record + 8));
    if (here) out.emit(sub.reg(R0, w === 0 ? R6 : R8));
    else out.emit(ldx.dw(R2, R10, wordPlace(frame, w).k), sub.reg(R0, R2));
    out.emit(and.reg(R4, R0));
  }
  out.emit(lddw.imm(R0, plan.guards), and.reg(R4, R0));
}

/** Registers hold no more than this many words. */
export function fitsRecords(plan: LanePlan): boolean {
  // The last record begins this far behind its slot, which the padding has to cover.
  return SLOT_ROWS * recordBytes(plan) <= REGION.padding;
}
