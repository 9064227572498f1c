/** Where the jumps, local calls and function addresses of a program go, and names for those places. */

import type { Instruction } from './instruction.ts';
import { CALL_SOURCE, CLASS, classOf, isJumpClass, JMP_OP, LDDW, LDDW_SOURCE, operationOf } from './opcodes.ts';

export interface JumpTargets {
  /** Slot of an instruction that goes somewhere, to the slot it goes to. Only targets within the program. */
  readonly targets: ReadonlyMap<number, number>;
  /** Slot to name: L1, L2, ... for jumps, func1, func2, ... for called functions, in the order of the slots. */
  readonly names: ReadonlyMap<number, string>;
}

export function jumpTargets(insns: readonly Instruction[]): JumpTargets {
  const targets = new Map<number, number>();
  const functions = new Set<number>();
  const starts = new Set<number>();
  for (let slot = 0; slot < insns.length; slot++) {
    const insn = insns[slot]!;
    starts.add(slot);
    const distance = distanceOf(insn);
    const target = distance === undefined ? -1 : slot + 1 + distance;
    if (target >= 0 && target < insns.length) {
      targets.set(slot, target);
      if (isFunctionReference(insn)) functions.add(target);
    }
    if (insn.opcode === LDDW) slot++;
  }
  // A jump into the middle of an lddw is illegal: no name can be printed there.
  for (const [slot, target] of targets) if (!starts.has(target)) targets.delete(slot);
  return { targets, names: nameSlots(new Set(targets.values()), functions) };
}

function nameSlots(slots: ReadonlySet<number>, functions: ReadonlySet<number>): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  let labels = 0;
  let called = 0;
  for (const slot of [...slots].sort((a, b) => a - b)) {
    names.set(slot, functions.has(slot) ? `func${++called}` : `L${++labels}`);
  }
  return names;
}

function isFunctionReference(insn: Instruction): boolean {
  return insn.opcode === LDDW || operationOf(insn.opcode) === JMP_OP.CALL;
}

function distanceOf(insn: Instruction): number | undefined {
  if (insn.opcode === LDDW) return insn.src === LDDW_SOURCE.FUNC ? insn.imm : undefined;
  if (!isJumpClass(insn.opcode)) return undefined;
  const operation = operationOf(insn.opcode);
  if (operation === JMP_OP.EXIT || operation > JMP_OP.JSLE) return undefined;
  if (operation === JMP_OP.CALL) return insn.src === CALL_SOURCE.LOCAL ? insn.imm : undefined;
  if (operation === JMP_OP.JA && classOf(insn.opcode) === CLASS.JMP32) return insn.imm;
  return insn.offset;
}
