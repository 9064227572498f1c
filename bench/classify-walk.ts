/** The walk through slots and records as instructions: an experiment beside the code generators. */
import {
  add,
  and,
  at,
  exit,
  ja,
  jeq,
  jge,
  jgt,
  jle,
  jne,
  jset,
  lddw,
  ldx,
  lsh,
  mov,
  mul,
  or,
  rsh,
  stx,
  sub,
  xor,
} from '../src/bpf/assembly.ts';
import type { CodeItem } from '../src/bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 } from '../src/bpf/instruction.ts';
import { HASH_FINAL } from '../src/classify/hash.ts';
import { type LanePlan, recordBytes } from '../src/classify/lanes.ts';
import type { Part } from '../src/classify/part.ts';
import { CHILD_SHIFT, LEAF, LEAF_CONTINUES, SLOT_BYTES, SLOT_ROWS, SLOT_WORDS } from '../src/classify/slots.ts';

export const SLOTS_MAP = 'cls_slots';
export const TRACE_MAP = 'cls_trace';
export const INDEX_MAP = 'cls_index';
export const TRACE_ENTRIES = 1 << 16;

/** Stack: u32 key, then what does not fit in registers. */
export const KEY = -64;
const BEST = -72;
const LEAF_SLOTS = -80;
/** Sixteen dimensions: the byte offset of one in the key. */
export const KEY_MASK = 0x3c;

/** Where a part's slots begin in the map's value. */
export type PlacedPart = Part & { readonly base: number };

/** The parts one behind the other. */
export function placeParts(parts: readonly Part[]): {
  readonly parts: readonly PlacedPart[];
  readonly words: Uint32Array;
} {
  const placed: PlacedPart[] = [];
  let base = 0;
  for (const part of parts) {
    placed.push({ ...part, base });
    base += part.slots;
  }
  const words = new Uint32Array(base * SLOT_WORDS);
  for (const part of placed) words.set(part.words.subarray(0, part.slots * SLOT_WORDS), part.base * SLOT_WORDS);
  return { parts: placed, words };
}

/** How a header lies in the trace: each dimension in as few bytes as it needs. */
export interface TraceLayout {
  readonly places: readonly { readonly offset: number; readonly bytes: 1 | 2 | 4 }[];
  /** Bytes of a header, a power of two. */
  readonly stride: number;
}

export function traceLayout(max: Uint32Array): TraceLayout {
  let offset = 0;
  const places = Array.from(max, (largest) => {
    const bytes = largest > 0xffff ? 4 : largest > 0xff ? 2 : 1;
    const place = { offset, bytes } as const;
    offset += bytes;
    return place;
  });
  return { places, stride: 2 ** Math.ceil(Math.log2(offset)) };
}

/** Stack: K and K | H of word w. */
const packed = (w: number): number => -96 - 16 * w;
const guarded = (w: number): number => -88 - 16 * w;
/** Two words fit in registers: K in R6 and R8, K | H in R7 and R9. */
const IN_REGISTERS = 2;

/** Takes the next header of the trace to the stack, and prepares its words. */
export function keyPrologue(plan: LanePlan, layout: TraceLayout): CodeItem[] {
  const code: CodeItem[] = [
    lddw.mapValue(R1, INDEX_MAP, 0),
    ldx.dw(R2, R1, 0),
    mov.reg(R3, R2),
    add.imm(R3, 1),
    stx.dw(R1, 0, R3),
    and.imm(R2, TRACE_ENTRIES - 1),
    lsh.imm(R2, Math.log2(layout.stride)),
    lddw.mapValue(R1, TRACE_MAP, 0),
    add.reg(R1, R2),
    mov.imm(R2, 0),
  ];
  for (let offset = KEY; offset < 0; offset += 8) code.push(stx.dw(R10, offset, R2));
  layout.places.forEach(({ offset, bytes }, d) => {
    const load = bytes === 4 ? ldx.w : bytes === 2 ? ldx.h : ldx.b;
    code.push(load(R2, R1, offset), stx.w(R10, KEY + 4 * d, R2));
  });
  code.push(lddw.imm(R3, plan.guards));
  for (let w = 0; w < plan.words; w++) {
    const [k, kh] = w === 1 ? [R8, R9] : [R6, R7];
    code.push(mov.imm(k, 0));
    plan.lanes.forEach(({ word, shift }, d) => {
      if (word === w) code.push(ldx.w(R2, R10, KEY + 4 * d), lsh.imm(R2, shift), or.reg(k, R2));
    });
    code.push(mov.reg(kh, k), or.reg(kh, R3));
    if (plan.words > IN_REGISTERS) code.push(stx.dw(R10, packed(w), k), stx.dw(R10, guarded(w), kh));
  }
  return code;
}

/** All parts one after the other; ends with the best row (or `rows`) in R0. */
export function emitClassifier(plan: LanePlan, parts: readonly PlacedPart[], rows: number): CodeItem[] {
  const code: CodeItem[] = [mov.imm(R1, rows), stx.dw(R10, BEST, R1)];
  parts.forEach((part, number) => {
    const next = `next${number}`;
    // Nothing here comes before what has been found.
    if (number > 0) code.push(ldx.dw(R1, R10, BEST), jle.imm(R1, part.firstRow, next));
    code.push(...emitRoot(part), ...emitPath(part, number), ...emitLeaf(plan, part, number), at(next));
  });
  code.push(ldx.dw(R0, R10, BEST), exit(), at('broken'), mov.imm(R0, -1), exit());
  return code;
}

/** R0: the slot to begin at. */
export function emitRoot(part: Pick<Part, 'hash'>): CodeItem[] {
  const { hash } = part;
  if (hash === undefined) return [mov.imm(R0, 0)];
  const code: CodeItem[] = [mov.imm(R0, 0)];
  hash.dimensions.forEach((d, i) => {
    code.push(ldx.w(R1, R10, KEY + 4 * d), mul.imm32(R1, hash.multipliers[i]!), add.reg32(R0, R1));
  });
  code.push(mov.reg32(R1, R0), rsh.imm32(R1, 16), xor.reg32(R0, R1));
  code.push(mul.imm32(R0, HASH_FINAL), rsh.imm32(R0, 32 - hash.bits));
  return code;
}

/** From slot R0 to a leaf, whose address is then in R1. */
function emitPath(part: PlacedPart, number: number): CodeItem[] {
  const code: CodeItem[] = [mov.imm(R5, part.depth + 1), at(`level${number}`)];
  code.push(jge.imm(R0, part.slots, 'broken'), lsh.imm(R0, 5), lddw.mapValue(R1, SLOTS_MAP, part.base * SLOT_BYTES));
  code.push(add.reg(R1, R0), ldx.w(R2, R1, 0), jset.imm(R2, LEAF, `leaf${number}`));
  code.push(mov.reg(R3, R2), and.imm(R3, KEY_MASK), mov.reg(R4, R10), add.reg(R4, R3), ldx.w(R4, R4, KEY));
  code.push(rsh.imm(R2, CHILD_SHIFT));
  for (let i = 1; i <= 7; i++) code.push(ldx.w(R3, R1, 4 * i), sub.reg(R3, R4), rsh.imm(R3, 63), add.reg(R2, R3));
  code.push(mov.reg(R0, R2), add.imm(R5, -1), jne.imm(R5, 0, `level${number}`), ja('broken'), at(`leaf${number}`));
  return code;
}

/** Compares the rows of the leaf at R1, and leaves the first that matches in BEST. */
function emitLeaf(plan: LanePlan, part: PlacedPart, number: number): CodeItem[] {
  const next = `next${number}`;
  const long = part.longestLeaf > 1;
  const code: CodeItem[] = [];
  if (long) code.push(mov.imm(R5, part.longestLeaf), stx.dw(R10, LEAF_SLOTS, R5), at(`chunk${number}`));
  // A leaf without rows may point right behind the part.
  code.push(ldx.w(R3, R1, 4), jgt.imm(R3, part.slots, 'broken'), lsh.imm(R3, 5));
  code.push(lddw.mapValue(R2, SLOTS_MAP, part.base * SLOT_BYTES), add.reg(R3, R2));
  for (let i = 0; i < SLOT_ROWS; i++) {
    code.push(ldx.w(R5, R1, 8 + 4 * i), ldx.dw(R2, R10, BEST), jge.reg(R5, R2, next));
    code.push(...containsRow(plan, i * recordBytes(plan)), jeq.reg(R4, R0, `match${number}`));
  }
  if (long) {
    code.push(ldx.w(R2, R1, 0), and.imm(R2, LEAF_CONTINUES), jeq.imm(R2, 0, next), add.imm(R1, SLOT_BYTES));
    code.push(
      ldx.dw(R2, R10, LEAF_SLOTS),
      add.imm(R2, -1),
      stx.dw(R10, LEAF_SLOTS, R2),
      jne.imm(R2, 0, `chunk${number}`),
    );
  }
  code.push(ja(next), at(`match${number}`), stx.dw(R10, BEST, R5));
  return code;
}

/** R3 + offset: the record. Leaves the guard bits in R0 and those that are left in R4; uses R2. */
export function containsRow(plan: LanePlan, offset: number): CodeItem[] {
  const code: CodeItem[] = [];
  for (let w = 0; w < plan.words; w++) {
    const left = w === 0 ? R4 : R2;
    const at = offset + 16 * w;
    const here = plan.words <= IN_REGISTERS;
    code.push(here ? mov.reg(left, w === 0 ? R7 : R9) : ldx.dw(left, R10, guarded(w)));
    code.push(ldx.dw(R0, R3, at), sub.reg(left, R0));
    if (w > 0) code.push(and.reg(R4, R2));
    code.push(ldx.dw(R0, R3, at + 8));
    if (here) code.push(sub.reg(R0, w === 0 ? R6 : R8));
    else code.push(ldx.dw(R2, R10, packed(w)), sub.reg(R0, R2));
    code.push(and.reg(R4, R0));
  }
  code.push(lddw.imm(R0, plan.guards), and.reg(R4, R0));
  return code;
}
