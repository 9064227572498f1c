/**
 * The opcode byte as what it is: a few small fields, each with its own table (Documentation/bpf/standardization,
 * RFC 9669). Nothing here is a list of 256 rows; an opcode is composed from its parts and taken apart again.
 *
 *     all classes      msb                         lsb
 *                     +---------------------+---------+
 *                     |  depends on class   |  class  |
 *                     +---------------------+---------+
 *                      7                   3 2       0
 *
 *     ALU, ALU64,     +-----------+---+---------+
 *     JMP, JMP32      | operation | s |  class  |     s: 0 the operand is imm, 1 it is the source register
 *                     +-----------+---+---------+     (END in class ALU: 0 to little, 1 to big endian)
 *                      7         4  3  2       0
 *
 *     LD, LDX,        +-------+------+---------+
 *     ST, STX         | mode  | size |  class  |
 *                     +-------+------+---------+
 *                      7     5 4    3 2       0
 */

export const CLASS = {
  LD: 0x00,
  LDX: 0x01,
  ST: 0x02,
  STX: 0x03,
  ALU: 0x04,
  JMP: 0x05,
  JMP32: 0x06,
  ALU64: 0x07,
} as const;
export type ClassName = keyof typeof CLASS;

/** The `s` bit of arithmetic and jumps. */
export const SOURCE = { IMM: 0x00, REG: 0x08 } as const;

/** The operation bits of classes ALU and ALU64. */
export const ALU_OP = {
  ADD: 0x00,
  SUB: 0x10,
  MUL: 0x20,
  /** Signed when the offset field is 1. */
  DIV: 0x30,
  OR: 0x40,
  AND: 0x50,
  LSH: 0x60,
  RSH: 0x70,
  NEG: 0x80,
  /** Signed when the offset field is 1. */
  MOD: 0x90,
  XOR: 0xa0,
  /** Sign extending when the offset field is 8, 16 or 32 (source register only). */
  MOV: 0xb0,
  ARSH: 0xc0,
  /** Byte order; imm is the width 16, 32 or 64. Class ALU64: unconditional byte swap. */
  END: 0xd0,
} as const;
export type AluOpName = keyof typeof ALU_OP;

/** The operation bits of classes JMP and JMP32. */
export const JMP_OP = {
  /** JMP: 16-bit offset. JMP32 ("gotol", Linux 6.6): 32-bit distance in imm. */
  JA: 0x00,
  JEQ: 0x10,
  JGT: 0x20,
  JGE: 0x30,
  JSET: 0x40,
  JNE: 0x50,
  JSGT: 0x60,
  JSGE: 0x70,
  /** JMP only: source register 0 helper, 1 local function, 2 kfunc. */
  CALL: 0x80,
  /** JMP only. */
  EXIT: 0x90,
  JLT: 0xa0,
  JLE: 0xb0,
  JSLT: 0xc0,
  JSLE: 0xd0,
} as const;
export type JmpOpName = keyof typeof JMP_OP;

/** The conditional jumps and what each becomes when its outcome is turned round (JSET has no opposite). */
export const OPPOSITE_JUMP = {
  JEQ: 'JNE',
  JNE: 'JEQ',
  JGT: 'JLE',
  JLE: 'JGT',
  JGE: 'JLT',
  JLT: 'JGE',
  JSGT: 'JSLE',
  JSLE: 'JSGT',
  JSGE: 'JSLT',
  JSLT: 'JSGE',
} as const satisfies Partial<Record<JmpOpName, JmpOpName>>;

/** Width of a memory access. */
export const SIZE = { W: 0x00, H: 0x08, B: 0x10, DW: 0x18 } as const;
export type SizeName = keyof typeof SIZE;
export const SIZE_BYTES = { B: 1, H: 2, W: 4, DW: 8 } as const satisfies Record<SizeName, number>;

/** How memory is accessed. */
export const MODE = {
  /** `lddw`: a 64-bit immediate in two slots (class LD, size DW). */
  IMM: 0x00,
  /** Packet access of classic BPF. */
  ABS: 0x20,
  IND: 0x40,
  MEM: 0x60,
  /** Sign-extending load (class LDX). */
  MEMSX: 0x80,
  /** Class STX, sizes W and DW: imm is one of ATOMIC_OP. */
  ATOMIC: 0xc0,
} as const;
export type ModeName = keyof typeof MODE;

/** imm of an atomic instruction. FETCH returns the old value in the source register (CMPXCHG: in r0). */
export const ATOMIC_OP = {
  ADD: 0x00,
  OR: 0x40,
  AND: 0x50,
  XOR: 0xa0,
  FETCH: 0x01,
  XCHG: 0xe1,
  CMPXCHG: 0xf1,
} as const;
export type AtomicOpName = keyof typeof ATOMIC_OP;

/** Source register of `lddw`: what its immediate means (BPF_PSEUDO_* of include/uapi/linux/bpf.h). */
export const LDDW_SOURCE = {
  IMM: 0,
  MAP_FD: 1,
  MAP_VALUE: 2,
  BTF_ID: 3,
  FUNC: 4,
  MAP_IDX: 5,
  MAP_IDX_VALUE: 6,
} as const;

/** Source register of CALL. */
export const CALL_SOURCE = { HELPER: 0, LOCAL: 1, KFUNC: 2 } as const;

/** Opcode of `lddw`. */
export const LDDW = CLASS.LD | MODE.IMM | SIZE.DW;

/** The class bits of an opcode. */
export function classOf(opcode: number): number {
  return opcode & 0x07;
}

/** True for classes ALU and ALU64. */
export function isAluClass(opcode: number): boolean {
  const cls = classOf(opcode);
  return cls === CLASS.ALU || cls === CLASS.ALU64;
}

/** True for classes JMP and JMP32. */
export function isJumpClass(opcode: number): boolean {
  const cls = classOf(opcode);
  return cls === CLASS.JMP || cls === CLASS.JMP32;
}

/** True for plain and atomic stores. */
export function isStore(opcode: number): boolean {
  const cls = classOf(opcode);
  return cls === CLASS.ST || cls === CLASS.STX;
}

/** The operation bits of an arithmetic or jump opcode. */
export function operationOf(opcode: number): number {
  return opcode & 0xf0;
}

/** True when the second operand of an arithmetic or jump opcode is the source register. */
export function usesSourceRegister(opcode: number): boolean {
  return (opcode & SOURCE.REG) !== 0;
}

/** The size bits of a load or store opcode. */
export function sizeOf(opcode: number): number {
  return opcode & 0x18;
}

/** The mode bits of a load or store opcode. */
export function modeOf(opcode: number): number {
  return opcode & 0xe0;
}
