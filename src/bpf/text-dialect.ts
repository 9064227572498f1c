/** The words of the text dialect: what each stands for, and the word of an instruction. One table for both directions. */

import type { Instruction } from './instruction.ts';
import {
  ALU_OP,
  type AluOpName,
  ATOMIC_OP,
  CLASS,
  JMP_OP,
  type JmpOpName,
  MODE,
  SIZE,
  type SizeName,
  SOURCE,
} from './opcodes.ts';

/** How the operands of an instruction are written. */
export interface Mnemonic {
  /**
   * none: no operand; alu: `dst, src|imm`; move: `dst, src`; unary: `dst`; jump: `dst, src|imm, label`; goto: `label`;
   * load: `dst, [base+offset]`; store: `[base+offset], src`; storeImmediate: `[base+offset], imm`.
   */
  readonly kind: 'none' | 'alu' | 'move' | 'unary' | 'jump' | 'goto' | 'load' | 'store' | 'storeImmediate';
  readonly opcode: number;
  /** Value of the offset field where it chooses the operation. */
  readonly offset?: number;
  /** Value of imm where it chooses the width. */
  readonly imm?: number;
  /** goto: the distance is 32 bits, in imm. */
  readonly far?: boolean;
}

const ALU_NAMES = ['ADD', 'SUB', 'MUL', 'DIV', 'OR', 'AND', 'LSH', 'RSH', 'MOD', 'XOR', 'MOV', 'ARSH'] as const;
const JUMP_NAMES = ['JEQ', 'JGT', 'JGE', 'JSET', 'JNE', 'JSGT', 'JSGE', 'JLT', 'JLE', 'JSLT', 'JSLE'] as const;
const SIZE_NAMES = ['B', 'H', 'W', 'DW'] as const satisfies readonly SizeName[];

/** Every word but `lock`, `call` and `lddw`; the first word of an instruction is the one to print. */
export const MNEMONICS: ReadonlyMap<string, Mnemonic> = new Map(entries());

function* entries(): Generator<[string, Mnemonic]> {
  for (const name of ALU_NAMES) yield* aluEntries(name.toLowerCase(), name, 0);
  yield* aluEntries('sdiv', 'DIV', 1);
  yield* aluEntries('smod', 'MOD', 1);
  yield ['neg', { kind: 'unary', opcode: CLASS.ALU64 | ALU_OP.NEG }];
  yield ['neg32', { kind: 'unary', opcode: CLASS.ALU | ALU_OP.NEG }];
  for (const from of [8, 16, 32] as const) {
    const move = { kind: 'move', offset: from } as const;
    if (from !== 32) yield [`movsx${from}32`, { ...move, opcode: CLASS.ALU | SOURCE.REG | ALU_OP.MOV }];
    yield [`movsx${from}64`, { ...move, opcode: CLASS.ALU64 | SOURCE.REG | ALU_OP.MOV }];
  }
  for (const imm of [16, 32, 64] as const) {
    yield [`le${imm}`, { kind: 'unary', opcode: CLASS.ALU | ALU_OP.END, imm }];
    yield [`be${imm}`, { kind: 'unary', opcode: CLASS.ALU | SOURCE.REG | ALU_OP.END, imm }];
    yield [`bswap${imm}`, { kind: 'unary', opcode: CLASS.ALU64 | ALU_OP.END, imm }];
    yield [`swap${imm}`, { kind: 'unary', opcode: CLASS.ALU64 | ALU_OP.END, imm }];
  }
  for (const name of JUMP_NAMES) yield* jumpEntries(name);
  yield ['ja', { kind: 'goto', opcode: CLASS.JMP | JMP_OP.JA }];
  yield ['ja32', { kind: 'goto', opcode: CLASS.JMP32 | JMP_OP.JA, far: true }];
  yield ['exit', { kind: 'none', opcode: CLASS.JMP | JMP_OP.EXIT }];
  for (const name of SIZE_NAMES) {
    const suffix = name.toLowerCase();
    yield [`ldx${suffix}`, { kind: 'load', opcode: CLASS.LDX | MODE.MEM | SIZE[name] }];
    if (name !== 'DW') yield [`ldxs${suffix}`, { kind: 'load', opcode: CLASS.LDX | MODE.MEMSX | SIZE[name] }];
    yield [`stx${suffix}`, { kind: 'store', opcode: CLASS.STX | MODE.MEM | SIZE[name] }];
    yield [`st${suffix}`, { kind: 'storeImmediate', opcode: CLASS.ST | MODE.MEM | SIZE[name] }];
  }
}

function* aluEntries(word: string, name: AluOpName, offset: number): Generator<[string, Mnemonic]> {
  yield [word, { kind: 'alu', opcode: CLASS.ALU64 | ALU_OP[name], offset }];
  yield [`${word}32`, { kind: 'alu', opcode: CLASS.ALU | ALU_OP[name], offset }];
}

function* jumpEntries(name: JmpOpName): Generator<[string, Mnemonic]> {
  yield [name.toLowerCase(), { kind: 'jump', opcode: CLASS.JMP | JMP_OP[name] }];
  yield [`${name.toLowerCase()}32`, { kind: 'jump', opcode: CLASS.JMP32 | JMP_OP[name] }];
}

const ATOMIC_WORDS = new Map<string, number>([
  ['add', ATOMIC_OP.ADD],
  ['or', ATOMIC_OP.OR],
  ['and', ATOMIC_OP.AND],
  ['xor', ATOMIC_OP.XOR],
  ['fetch add', ATOMIC_OP.ADD | ATOMIC_OP.FETCH],
  ['fetch or', ATOMIC_OP.OR | ATOMIC_OP.FETCH],
  ['fetch and', ATOMIC_OP.AND | ATOMIC_OP.FETCH],
  ['fetch xor', ATOMIC_OP.XOR | ATOMIC_OP.FETCH],
  ['xchg', ATOMIC_OP.XCHG],
  ['cmpxchg', ATOMIC_OP.CMPXCHG],
]);

const ATOMIC = CLASS.STX | MODE.ATOMIC;

/** Opcode and imm of what stands behind `lock`, with or without the suffix 32. */
export function atomicMnemonic(words: string): { opcode: number; imm: number } | undefined {
  const narrow = words.endsWith('32');
  const imm = ATOMIC_WORDS.get(narrow ? words.slice(0, -2) : words);
  return imm === undefined ? undefined : { opcode: ATOMIC | (narrow ? SIZE.W : SIZE.DW), imm };
}

/** The words behind `lock` for an atomic instruction; undefined for anything else. */
export function atomicWords(insn: Instruction): string | undefined {
  const narrow = insn.opcode === (ATOMIC | SIZE.W);
  if (!narrow && insn.opcode !== (ATOMIC | SIZE.DW)) return undefined;
  for (const [words, imm] of ATOMIC_WORDS) if (imm === insn.imm) return narrow ? `${words}32` : words;
  return undefined;
}

/** The word of an instruction and its operand form; undefined when it has none (lddw, call, atomics, illegal ones). */
export function mnemonicOf(insn: Instruction): { word: string; mnemonic: Mnemonic } | undefined {
  for (const [word, mnemonic] of MNEMONICS) {
    const operand = mnemonic.kind === 'alu' || mnemonic.kind === 'jump' ? insn.opcode & ~SOURCE.REG : insn.opcode;
    if (operand !== mnemonic.opcode) continue;
    if ((mnemonic.kind === 'alu' || mnemonic.kind === 'move') && insn.offset !== (mnemonic.offset ?? 0)) continue;
    if (mnemonic.imm !== undefined && insn.imm !== mnemonic.imm) continue;
    return { word, mnemonic };
  }
  return undefined;
}
