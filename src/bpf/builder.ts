/**
 * From a list of instructions with labels to a program: places labels, fills in distances, collects relocations.
 *
 * A jump has 16 bits for its distance. Where that is not enough
 *
 *     ja L                  becomes   gotol L                         (32-bit distance, same size)
 *     if a OP b goto L      becomes   if a !OP b goto +1; gotol L     (jset, which has no opposite: goto +1; goto +1; gotol L)
 *
 * `gotol` needs Linux 6.6; shorter programs load on any kernel that has BPF netfilter links (6.4).
 */

import type { Code, CodeInstruction, Label } from './code.ts';
import { encodeInstruction, type Instruction, SLOT_SIZE } from './instruction.ts';
import { CLASS, classOf, JMP_OP, OPPOSITE_JUMP, operationOf } from './opcodes.ts';
import type { GlobalArguments, ProgramSpec, ProgramType, Relocation } from './program.ts';

export interface Assembled {
  readonly insns: Uint8Array;
  readonly relocations: readonly Relocation[];
  /** Slot of every label. */
  readonly labels: ReadonlyMap<Label, number>;
  /** True when a `gotol` was needed (Linux 6.6). */
  readonly usesGotol: boolean;
}

/**
 * Longest distances that are left to a 16-bit jump. The field could hold twice as much, but the kernel replaces some
 * instructions (calls of helpers and kfuncs) by longer code after verification, and fails when a jump over them no longer
 * fits ("cannot be patched due to 16-bit range").
 */
const NEAR_MIN = -0x4000;
const NEAR_MAX = 0x3fff;

/** Opcode of the 32-bit jump. */
const GOTOL = CLASS.JMP32 | JMP_OP.JA;

const OPPOSITE = new Map<number, number>(
  Object.entries(OPPOSITE_JUMP).map(([name, other]) => [JMP_OP[name as keyof typeof JMP_OP], JMP_OP[other]]),
);

/** Turns code into bytes. Throws when a label is missing or defined twice, or a field does not fit. */
export function assemble(code: Code): Assembled {
  const far = new Set<CodeInstruction>();
  // Growing one jump can push another target out of reach, never back into it: repeat until nothing grows.
  for (;;) {
    const layout = placeLabels(code, far);
    const grown = findFarJumps(code, far, layout.labels);
    if (grown === 0) return encode(code, far, layout);
  }
}

/** `assemble` with the rest of a ProgramSpec around it. */
export function buildProgram(
  name: string,
  type: ProgramType,
  code: Code,
  /** Labels of global functions, and what arguments they take. Those that nothing calls may be missing in the code. */
  globals: ReadonlyMap<Label, GlobalArguments> = new Map(),
): ProgramSpec {
  if (!/^[A-Za-z0-9_.]{1,15}$/.test(name)) throw new RangeError(`program name ${JSON.stringify(name)} is not valid`);
  const { insns, relocations, labels } = assemble(code);
  const functions = [...globals].flatMap(([label, taken]) => {
    const slot = labels.get(label);
    return slot === undefined ? [] : [Object.freeze({ slot, ...taken })];
  });
  return Object.freeze({
    name,
    type,
    license: 'GPL',
    insns,
    relocations: Object.freeze([...relocations]),
    ...(functions.length === 0 ? {} : { globals: Object.freeze(functions) }),
  });
}

interface Layout {
  readonly labels: ReadonlyMap<Label, number>;
  readonly slots: number;
}

function placeLabels(code: Code, far: ReadonlySet<CodeInstruction>): Layout {
  const labels = new Map<Label, number>();
  let slot = 0;
  for (const item of code) {
    if (item.kind === 'insn') slot += sizeOfItem(item, far);
    else if (labels.has(item.label)) throw new Error(`label "${item.label}" is defined twice`);
    else labels.set(item.label, slot);
  }
  return { labels, slots: slot };
}

function findFarJumps(code: Code, far: Set<CodeInstruction>, labels: ReadonlyMap<Label, number>): number {
  const grown: CodeInstruction[] = [];
  let slot = 0;
  for (const item of code) {
    if (item.kind !== 'insn') continue;
    if (item.target?.field === 'offset' && !far.has(item)) {
      const distance = slotOf(labels, item.target.label) - slot - 1;
      if (distance < NEAR_MIN || distance > NEAR_MAX) grown.push(item);
    }
    slot += sizeOfItem(item, far);
  }
  for (const item of grown) far.add(item);
  return grown.length;
}

/** Slots that an instruction takes, given whether its target is far. */
function sizeOfItem(item: CodeInstruction, far: ReadonlySet<CodeInstruction>): number {
  if (item.second !== undefined) return 2;
  if (!far.has(item)) return 1;
  const operation = operationOf(item.insn.opcode);
  if (isPlainJump(item.insn)) return 1;
  return OPPOSITE.has(operation) ? 2 : 3;
}

function isPlainJump(insn: Instruction): boolean {
  return classOf(insn.opcode) === CLASS.JMP && operationOf(insn.opcode) === JMP_OP.JA;
}

function encode(code: Code, far: ReadonlySet<CodeInstruction>, layout: Layout): Assembled {
  const insns = new Uint8Array(layout.slots * SLOT_SIZE);
  const view = new DataView(insns.buffer);
  const relocations: Relocation[] = [];
  let slot = 0;
  const put = (insn: Instruction): void => {
    encodeInstruction(insn, view, slot * SLOT_SIZE);
    slot++;
  };
  for (const item of code) {
    if (item.kind !== 'insn') continue;
    if (item.relocation !== undefined) relocations.push({ slot, ...item.relocation });
    if (item.target === undefined) put(item.insn);
    else if (far.has(item)) putFar(item.insn, slotOf(layout.labels, item.target.label), slot, put);
    else put({ ...item.insn, [item.target.field]: slotOf(layout.labels, item.target.label) - slot - 1 });
    if (item.second !== undefined) put(item.second);
  }
  return { insns, relocations, labels: layout.labels, usesGotol: far.size > 0 };
}

function putFar(insn: Instruction, target: number, slot: number, put: (insn: Instruction) => void): void {
  const gotol = (from: number): Instruction => ({ opcode: GOTOL, dst: 0, src: 0, offset: 0, imm: target - from - 1 });
  if (isPlainJump(insn)) {
    put(gotol(slot));
    return;
  }
  const opposite = OPPOSITE.get(operationOf(insn.opcode));
  if (opposite !== undefined) {
    put({ ...insn, opcode: (insn.opcode & 0x0f) | opposite, offset: 1 });
    put(gotol(slot + 1));
    return;
  }
  put({ ...insn, offset: 1 });
  put({ opcode: CLASS.JMP | JMP_OP.JA, dst: 0, src: 0, offset: 1, imm: 0 });
  put(gotol(slot + 2));
}

function slotOf(labels: ReadonlyMap<Label, number>, label: Label): number {
  const slot = labels.get(label);
  if (slot === undefined) throw new Error(`label "${label}" is not defined`);
  return slot;
}
