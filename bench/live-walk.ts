/** The walk through a region that changes (src/classify/image.ts) as instructions, for measurements and tests of changes in the kernel. */
import { add, and, at, ja, jeq, jge, jgt, jne, jset, lddw, ldx, lsh, mov, rsh, stx, sub } from '../src/bpf/assembly.ts';
import type { CodeItem } from '../src/bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R10 } from '../src/bpf/instruction.ts';
import { NO_ORDER, PAYLOAD, REGION, type RegionLayout, TABLES } from '../src/classify/image.ts';
import { type LanePlan, recordBytes } from '../src/classify/lanes.ts';
import type { Place } from '../src/classify/live/read.ts';
import type { LiveLimits } from '../src/classify/live/tree.ts';
import { CHILD_SHIFT, LEAF, LEAF_CONTINUES, SLOT_ROWS } from '../src/classify/slots.ts';
import { containsRow, emitRoot, KEY, KEY_MASK } from './classify-walk.ts';

export interface LiveProgram {
  readonly map: string;
  readonly layout: RegionLayout;
  readonly plan: LanePlan;
  readonly places: readonly Place[];
  readonly limits: LiveLimits;
}

/** Stack, below the key and its words. */
const ORDER = -208;
const ROW = -216;
const DESCRIPTORS = -224;
const FIRST_ORDERS = -232;
const LEAF_SLOTS = -240;

/** The key and its words are ready (keyPrologue); ends with the row in R0; -1: none, -2: the region is not as it should be. */
export function emitLiveLookup(program: LiveProgram): CodeItem[] {
  const { map, places } = program;
  const code: CodeItem[] = [
    lddw.imm(R1, BigInt(NO_ORDER)),
    stx.dw(R10, ORDER, R1),
    mov.imm(R1, -1),
    stx.dw(R10, ROW, R1),
    lddw.mapValue(R1, map, 0),
    ldx.w(R2, R1, REGION.active),
    jge.imm(R2, TABLES, 'broken'),
    mov.reg(R3, R2),
    lsh.imm(R2, Math.log2(REGION.descriptorTable)),
    lddw.mapValue(R1, map, REGION.descriptors),
    add.reg(R1, R2),
    stx.dw(R10, DESCRIPTORS, R1),
    lsh.imm(R3, Math.log2(REGION.firstOrderTable)),
    lddw.mapValue(R1, map, REGION.firstOrders),
    add.reg(R1, R3),
    stx.dw(R10, FIRST_ORDERS, R1),
  ];
  places.forEach((place, number) => {
    const next = `next${number}`;
    code.push(
      ldx.dw(R1, R10, FIRST_ORDERS),
      ldx.w(R2, R1, 4 * place.place),
      ldx.dw(R3, R10, ORDER),
      jgt.reg(R2, R3, next),
      ldx.dw(R1, R10, DESCRIPTORS),
      ldx.dw(R4, R1, 8 * place.place),
      mov.reg(R3, R4),
      rsh.imm(R3, 32),
      jeq.imm(R3, 0, next),
      mov.reg32(R4, R4),
      ...emitRoot(place),
      add.reg(R0, R4),
      ...emitPath(program, number),
      ...emitLeaf(program, number),
      at(next),
    );
  });
  code.push(ldx.dw(R0, R10, ROW), ja('found'), at('broken'), mov.imm(R0, -2), at('found'));
  return code;
}

/** From slot R0 to a leaf, whose address is then in R1. */
function emitPath({ map, layout, limits }: LiveProgram, number: number): CodeItem[] {
  const code: CodeItem[] = [mov.imm(R5, limits.levels + 1), at(`level${number}`)];
  code.push(jge.imm(R0, layout.heapSlots, 'broken'), lsh.imm(R0, 5), lddw.mapValue(R1, map, layout.heap));
  code.push(add.reg(R1, R0), ldx.w(R2, R1, 0), jset.imm(R2, LEAF, `leaf${number}`));
  code.push(mov.reg(R3, R2), and.imm(R3, KEY_MASK), mov.reg(R4, R10), add.reg(R4, R3), ldx.w(R4, R4, KEY));
  code.push(rsh.imm(R2, CHILD_SHIFT));
  for (let i = 1; i <= 7; i++) code.push(ldx.w(R3, R1, 4 * i), sub.reg(R3, R4), rsh.imm(R3, 63), add.reg(R2, R3));
  code.push(mov.reg(R0, R2), add.imm(R5, -1), jne.imm(R5, 0, `level${number}`), ja('broken'), at(`leaf${number}`));
  return code;
}

/** Compares the rows of the leaf at R1, and notes the first that matches and comes before what was found. */
function emitLeaf({ map, layout, plan, limits }: LiveProgram, number: number): CodeItem[] {
  const next = `next${number}`;
  const code: CodeItem[] = [mov.imm(R5, limits.leafSlots), stx.dw(R10, LEAF_SLOTS, R5), at(`chunk${number}`)];
  code.push(ldx.w(R3, R1, 4), jgt.imm(R3, layout.heapSlots, 'broken'), lsh.imm(R3, 5));
  code.push(lddw.mapValue(R2, map, layout.heap), add.reg(R3, R2));
  for (let i = 0; i < SLOT_ROWS; i++) {
    const other = `row${number}_${i}`;
    code.push(ldx.w(R5, R1, 8 + 4 * i), jge.imm(R5, layout.rowCapacity, next));
    code.push(...containsRow(plan, i * recordBytes(plan)), jne.reg(R4, R0, other));
    code.push(mov.reg(R4, R5), lsh.imm(R4, Math.log2(REGION.rowBytes)));
    code.push(lddw.mapValue(R2, map, REGION.payload + PAYLOAD.order), add.reg(R2, R4), ldx.w(R2, R2, 0));
    code.push(ldx.dw(R0, R10, ORDER), jge.reg(R2, R0, other));
    code.push(stx.dw(R10, ORDER, R2), stx.dw(R10, ROW, R5), ja(next), at(other));
  }
  code.push(ldx.w(R2, R1, 0), and.imm(R2, LEAF_CONTINUES), jeq.imm(R2, 0, next));
  // The next slot of the leaf; checked as a number, since the verifier has lost it.
  code.push(lddw.mapValue(R2, map, layout.heap), sub.reg(R1, R2), rsh.imm(R1, 5), add.imm(R1, 1));
  code.push(jge.imm(R1, layout.heapSlots, 'broken'), lsh.imm(R1, 5), add.reg(R1, R2));
  code.push(ldx.dw(R2, R10, LEAF_SLOTS), add.imm(R2, -1), stx.dw(R10, LEAF_SLOTS, R2));
  code.push(jne.imm(R2, 0, `chunk${number}`), ja('broken'));
  return code;
}
