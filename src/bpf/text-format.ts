/** Programs back to the text dialect of text-assembler.ts: what it prints assembles to the same bytes and relocations. */

import { decodeInstructions, type Instruction, lddwValue } from './instruction.ts';
import { CALL_SOURCE, CLASS, JMP_OP, LDDW, LDDW_SOURCE, SOURCE, usesSourceRegister } from './opcodes.ts';
import type { ProgramSpec, Relocation } from './program.ts';
import { jumpTargets } from './targets.ts';
import { atomicWords, type Mnemonic, mnemonicOf } from './text-dialect.ts';

/** Throws a RangeError naming the slot when an instruction has no text. */
export function formatText(program: Pick<ProgramSpec, 'insns' | 'relocations'>): string {
  const insns = decodeInstructions(program.insns);
  const relocations = new Map(program.relocations.map((relocation) => [relocation.slot, relocation]));
  const labels = jumpTargets(insns);
  const lines: string[] = [];
  for (let slot = 0; slot < insns.length; slot++) {
    const insn = insns[slot]!;
    const label = labels.names.get(slot);
    if (label !== undefined) lines.push(`${label}:`);
    const target = labels.names.get(labels.targets.get(slot) ?? -1);
    const second = insn.opcode === LDDW ? insns[slot + 1] : undefined;
    const text = formatOne(insn, second, relocations.get(slot), target);
    if (text === undefined) {
      throw new RangeError(`slot ${slot}: opcode 0x${insn.opcode.toString(16)} has no text form`);
    }
    lines.push(`    ${text}`);
    if (second !== undefined) slot++;
  }
  return `${lines.join('\n')}\n`;
}

function formatOne(
  insn: Instruction,
  second: Instruction | undefined,
  relocation: Relocation | undefined,
  target: string | undefined,
): string | undefined {
  if (second !== undefined) return formatLddw(insn, second, relocation, target);
  if ((insn.opcode & ~SOURCE.REG) === (CLASS.JMP | JMP_OP.CALL)) return formatCall(insn, relocation, target);
  const atomic = atomicWords(insn);
  if (atomic !== undefined) return `lock ${atomic} ${place(insn.dst, insn.offset)}, %r${insn.src}`;
  const found = mnemonicOf(insn);
  if (found === undefined) return undefined;
  if (relocation?.kind === 'struct') return `mov %r${insn.dst}, struct ${relocation.name}`;
  const operands = formatOperands(insn, found.mnemonic, target);
  return operands === '' ? found.word : `${found.word} ${operands}`;
}

function formatOperands(insn: Instruction, mnemonic: Mnemonic, target: string | undefined): string {
  const operand = usesSourceRegister(insn.opcode) ? `%r${insn.src}` : `${insn.imm}`;
  switch (mnemonic.kind) {
    case 'none':
      return '';
    case 'alu':
      return `%r${insn.dst}, ${operand}`;
    case 'move':
      return `%r${insn.dst}, %r${insn.src}`;
    case 'unary':
      return `%r${insn.dst}`;
    case 'jump':
      return `%r${insn.dst}, ${operand}, ${target ?? signed(insn.offset)}`;
    case 'goto':
      return target ?? signed(mnemonic.far === true ? insn.imm : insn.offset);
    case 'load':
      return `%r${insn.dst}, ${place(insn.src, insn.offset)}`;
    case 'store':
      return `${place(insn.dst, insn.offset)}, %r${insn.src}`;
    case 'storeImmediate':
      return `${place(insn.dst, insn.offset)}, ${insn.imm}`;
  }
}

function formatLddw(
  insn: Instruction,
  second: Instruction,
  relocation: Relocation | undefined,
  target: string | undefined,
): string | undefined {
  const start = `lddw %r${insn.dst},`;
  if (relocation?.kind === 'map') return `${start} map ${relocation.map}`;
  if (relocation?.kind === 'mapValue') {
    return `${start} value ${relocation.map}${relocation.offset === 0 ? '' : `+${relocation.offset}`}`;
  }
  if (insn.src === LDDW_SOURCE.FUNC && target !== undefined) return `${start} func ${target}`;
  return insn.src === LDDW_SOURCE.IMM ? `${start} 0x${lddwValue(insn, second).toString(16)}` : undefined;
}

function formatCall(
  insn: Instruction,
  relocation: Relocation | undefined,
  target: string | undefined,
): string | undefined {
  if (usesSourceRegister(insn.opcode)) return `call %r${insn.dst}`;
  switch (insn.src) {
    case CALL_SOURCE.HELPER:
      return `call ${insn.imm}`;
    case CALL_SOURCE.LOCAL:
      return `call local ${target ?? signed(insn.imm)}`;
    case CALL_SOURCE.KFUNC:
      return relocation?.kind === 'kfunc' ? `call kfunc ${relocation.name}` : undefined;
    default:
      return undefined;
  }
}

function place(base: number, offset: number): string {
  return offset === 0 ? `[%r${base}]` : `[%r${base}${signed(offset)}]`;
}

function signed(value: number): string {
  return value < 0 ? `${value}` : `+${value}`;
}
