/**
 * Leaves out code that cannot be reached, because the verifier refuses it ("unreachable insn"), and jumps to the very next
 * place. A rule behind an unconditional ACCEPT is such code: legal in a rule set, an error in a program.
 */

import type { Code, CodeInstruction, CodeItem, Label } from './code.ts';
import { CLASS, classOf, isJumpClass, JMP_OP, operationOf } from './opcodes.ts';

/** Reachable code from the first item on. Functions count as reached when something reachable calls them. */
export function removeUnreachable(code: Code): Code {
  const places = new Map<Label, number>();
  code.forEach((item, index) => {
    if (item.kind === 'label') places.set(item.label, index);
  });
  const reached = new Uint8Array(code.length);
  const open = [0];
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    for (let at = index; at < code.length && reached[at] === 0; at++) {
      reached[at] = 1;
      const item = code[at]!;
      if (item.kind === 'label') continue;
      if (item.target !== undefined) open.push(placeOf(places, item.target.label));
      if (endsFlow(item)) break;
    }
  }
  return dropIdleJumps(code.filter((_item, index) => reached[index] === 1));
}

function placeOf(places: ReadonlyMap<Label, number>, label: Label): number {
  const place = places.get(label);
  if (place === undefined) throw new Error(`label "${label}" is not defined`);
  return place;
}

/** True for `exit` and unconditional jumps. */
function endsFlow(item: CodeInstruction): boolean {
  return isPlainJump(item) || isOperation(item, JMP_OP.EXIT);
}

function isPlainJump(item: CodeInstruction): boolean {
  return isOperation(item, JMP_OP.JA);
}

/** True for conditional jumps. */
export function isBranch(item: CodeItem): boolean {
  return item.kind === 'insn' && item.target?.field === 'offset' && !isPlainJump(item);
}

function isOperation(item: CodeInstruction, operation: number): boolean {
  const { opcode } = item.insn;
  if (!isJumpClass(opcode) || operationOf(opcode) !== operation) return false;
  return operation === JMP_OP.JA || classOf(opcode) === CLASS.JMP;
}

/** `ja L` right before `L:` does nothing. */
function dropIdleJumps(code: Code): Code {
  const out: CodeItem[] = [];
  for (let index = 0; index < code.length; index++) {
    const item = code[index]!;
    if (
      item.kind === 'insn' &&
      isPlainJump(item) &&
      item.target !== undefined &&
      isNext(code, index, item.target.label)
    )
      continue;
    out.push(item);
  }
  return out;
}

function isNext(code: Code, index: number, label: Label): boolean {
  for (let at = index + 1; at < code.length; at++) {
    const item = code[at]!;
    if (item.kind !== 'label') return false;
    if (item.label === label) return true;
  }
  return false;
}
