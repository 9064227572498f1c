/** The walk through slots and records as instructions: an experiment beside the code generators. */
import {
  add,
  and,
  at,
  exit,
  ja,
  jeq,
  jge,
  jne,
  jset,
  lddw,
  ldx,
  lsh,
  mov,
  or,
  rsh,
  stx,
  sub,
} from '../src/bpf/assembly.ts';
import type { CodeItem } from '../src/bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 } from '../src/bpf/instruction.ts';
import { type LanePlan, recordBytes } from '../src/classify/lanes.ts';

export const SLOTS_MAP = 'cls_slots';
export const TRACE_MAP = 'cls_trace';
export const INDEX_MAP = 'cls_index';
export const TRACE_ENTRIES = 1 << 16;

/** Stack: u32 key, then what does not fit in registers. */
const KEY = -64;
const BEST = -72;

export interface WalkShape {
  readonly plan: LanePlan;
  readonly roots: readonly { readonly root: number; readonly firstRow: number; readonly depth: number }[];
  readonly slots: number;
  readonly rows: number;
  readonly longestLeaf: number;
}

/** Takes the next header of the trace to the stack, and K, K | H of two words to R6..R9. */
export function keyPrologue(plan: LanePlan): CodeItem[] {
  const code: CodeItem[] = [
    lddw.mapValue(R1, INDEX_MAP, 0),
    ldx.dw(R2, R1, 0),
    mov.reg(R3, R2),
    add.imm(R3, 1),
    stx.dw(R1, 0, R3),
    and.imm(R2, TRACE_ENTRIES - 1),
    lsh.imm(R2, 4),
    lddw.mapValue(R1, TRACE_MAP, 0),
    add.reg(R1, R2),
    mov.imm(R6, 0),
    mov.imm(R8, 0),
  ];
  const load = [
    () => ldx.w(R2, R1, 0),
    () => ldx.w(R2, R1, 4),
    () => ldx.h(R2, R1, 8),
    () => ldx.h(R2, R1, 10),
    () => ldx.b(R2, R1, 12),
  ];
  load.forEach((one, d) => {
    const lane = plan.lanes[d]!;
    code.push(one(), stx.w(R10, KEY + 4 * d, R2));
    if (lane.shift > 0) code.push(lsh.imm(R2, lane.shift));
    code.push(or.reg(lane.word === 0 ? R6 : R8, R2));
  });
  code.push(mov.imm(R2, 0), stx.w(R10, KEY + 20, R2), stx.dw(R10, KEY + 24, R2));
  code.push(lddw.imm(R2, plan.guards), mov.reg(R7, R6), or.reg(R7, R2), mov.reg(R9, R8), or.reg(R9, R2));
  return code;
}

/** All trees one after the other; ends with the best row (or `rows`) in R0. */
export function emitForest(shape: WalkShape): CodeItem[] {
  const { plan } = shape;
  const code: CodeItem[] = [mov.imm(R1, shape.rows), stx.dw(R10, BEST, R1)];
  shape.roots.forEach(({ root, firstRow, depth }, t) => {
    const next = `next${t}`;
    if (t > 0) code.push(ldx.dw(R1, R10, BEST), mov.imm(R2, firstRow), jge.reg(R2, R1, next));
    code.push(mov.imm(R0, root), mov.imm(R5, depth + 1));
    code.push(
      at(`level${t}`),
      jge.imm(R0, shape.slots, 'broken'),
      lsh.imm(R0, 5),
      lddw.mapValue(R1, SLOTS_MAP, 0),
      add.reg(R1, R0),
      ldx.w(R2, R1, 0),
      jset.imm(R2, 1, `leaf${t}`),
      mov.reg(R3, R2),
      and.imm(R3, 0x1c),
      mov.reg(R4, R10),
      add.reg(R4, R3),
      ldx.w(R4, R4, KEY),
      rsh.imm(R2, 7),
    );
    for (let i = 1; i <= 7; i++) code.push(ldx.w(R3, R1, 4 * i), sub.reg(R3, R4), rsh.imm(R3, 63), add.reg(R2, R3));
    code.push(mov.reg(R0, R2), add.imm(R5, -1), jne.imm(R5, 0, `level${t}`), ja('broken'));
    // The leaf: R1 is its slot.
    code.push(at(`leaf${t}`));
    if (shape.longestLeaf > 1) code.push(mov.imm(R5, shape.longestLeaf), stx.dw(R10, BEST - 8, R5), at(`chunk${t}`));
    code.push(
      ldx.w(R3, R1, 4),
      jge.imm(R3, shape.slots, 'broken'),
      lsh.imm(R3, 5),
      lddw.mapValue(R2, SLOTS_MAP, 0),
      add.reg(R3, R2),
    );
    for (let i = 0; i < 6; i++) {
      code.push(ldx.w(R5, R1, 8 + 4 * i), ldx.dw(R2, R10, BEST), jge.reg(R5, R2, next));
      code.push(...containsRow(plan, i * recordBytes(plan)), jeq.reg(R4, R0, `match${t}`));
    }
    if (shape.longestLeaf > 1) {
      code.push(ldx.w(R2, R1, 0), and.imm(R2, 2), jeq.imm(R2, 0, next), add.imm(R1, 32));
      code.push(ldx.dw(R2, R10, BEST - 8), add.imm(R2, -1), stx.dw(R10, BEST - 8, R2), jne.imm(R2, 0, `chunk${t}`));
    }
    code.push(ja(next));
    code.push(at(`match${t}`), stx.dw(R10, BEST, R5), at(next));
  });
  code.push(ldx.dw(R0, R10, BEST), exit(), at('broken'), mov.imm(R0, -1), exit());
  return code;
}

/** R3 + offset: the record. Leaves the guard bits in R0 and those that are left in R4; uses R2. */
function containsRow(plan: LanePlan, offset: number): CodeItem[] {
  const code: CodeItem[] = [
    mov.reg(R4, R7),
    ldx.dw(R0, R3, offset),
    sub.reg(R4, R0),
    ldx.dw(R0, R3, offset + 8),
    sub.reg(R0, R6),
    and.reg(R4, R0),
  ];
  if (plan.words > 1) {
    code.push(mov.reg(R2, R9), ldx.dw(R0, R3, offset + 16), sub.reg(R2, R0), and.reg(R4, R2));
    code.push(ldx.dw(R0, R3, offset + 24), sub.reg(R0, R8), and.reg(R4, R0));
  }
  code.push(lddw.imm(R0, plan.guards), and.reg(R4, R0));
  return code;
}
