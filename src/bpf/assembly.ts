/**
 * Instructions that read like assembly: the form of the operands is the method's name, the width is part of it.
 *
 *     mov.imm(R0, 1)                 r0 = 1
 *     add.reg32(R1, R2)              w1 += w2
 *     jne.imm32(R3, 6, next)         if w3 != 6 goto next
 *     ldx.h(R2, R6, 2)               r2 = *(u16 *)(r6 + 2)
 *     stx.dw(R10, -8, R1)            *(u64 *)(r10 - 8) = r1
 *     atomic.add.dw(R1, 0, R2)       lock *(u64 *)(r1 + 0) += r2
 *     lddw.mapValue(R1, 'counters')  r1 = &counters.value
 */

import type { CodeInstruction, CodeItem, CodeTarget, Label, PendingRelocation } from './code.ts';
import { lddwSlots } from './instruction.ts';
import {
  ALU_OP,
  type AluOpName,
  ATOMIC_OP,
  CALL_SOURCE,
  CLASS,
  JMP_OP,
  type JmpOpName,
  LDDW_SOURCE,
  MODE,
  SIZE,
  type SizeName,
  SOURCE,
} from './opcodes.ts';

/** All instructions are made here, all with the same members: programs have hundreds of thousands of them. */
function item(
  opcode: number,
  dst = 0,
  src = 0,
  offset = 0,
  imm = 0,
  target?: CodeTarget,
  relocation?: PendingRelocation,
): CodeInstruction {
  return { kind: 'insn', insn: { opcode, dst, src, offset, imm }, second: undefined, target, relocation };
}

/** A 32-bit immediate given as any integer whose low 32 bits are meant (0xffffffff is -1). */
function s32(value: number): number {
  if (!Number.isInteger(value) || value < -0x80000000 || value > 0xffffffff) {
    throw new RangeError(`immediate ${value} does not fit into 32 bits`);
  }
  return value | 0;
}

/**
 * A sign-extended immediate of a 64-bit operation. Values above 0x7fffffff would silently become negative there, so
 * they are refused.
 */
function signed(value: number): number {
  if (!Number.isInteger(value) || value < -0x80000000 || value > 0x7fffffff) {
    throw new RangeError(`immediate ${value} does not fit into 32 bits with sign extension`);
  }
  return value;
}

/** One arithmetic operation in its four operand forms; imm32 and reg32 work on 32 bits and clear the upper half. */
function alu(name: AluOpName, offset = 0) {
  const op = ALU_OP[name];
  return {
    imm: (dst: number, imm: number) => item(CLASS.ALU64 | op, dst, 0, offset, signed(imm)),
    reg: (dst: number, src: number) => item(CLASS.ALU64 | SOURCE.REG | op, dst, src, offset),
    imm32: (dst: number, imm: number) => item(CLASS.ALU | op, dst, 0, offset, s32(imm)),
    reg32: (dst: number, src: number) => item(CLASS.ALU | SOURCE.REG | op, dst, src, offset),
  };
}

export const add = alu('ADD');
export const sub = alu('SUB');
export const mul = alu('MUL');
export const div = alu('DIV');
export const sdiv = alu('DIV', 1);
export const or = alu('OR');
export const and = alu('AND');
export const lsh = alu('LSH');
export const rsh = alu('RSH');
export const mod = alu('MOD');
export const smod = alu('MOD', 1);
export const xor = alu('XOR');
export const mov = alu('MOV');
export const arsh = alu('ARSH');

/** Sign-extending moves of the low 8, 16 or 32 bits (Linux 6.6). */
export const movsx = {
  reg: (bits: 8 | 16 | 32, dst: number, src: number) => item(CLASS.ALU64 | SOURCE.REG | ALU_OP.MOV, dst, src, bits),
  reg32: (bits: 8 | 16, dst: number, src: number) => item(CLASS.ALU | SOURCE.REG | ALU_OP.MOV, dst, src, bits),
};

export const neg = {
  reg: (dst: number) => item(CLASS.ALU64 | ALU_OP.NEG, dst),
  reg32: (dst: number) => item(CLASS.ALU | ALU_OP.NEG, dst),
};

/** Byte order: `toBe`/`toLe` convert between host and big/little endian, `swap` always swaps (Linux 6.6). */
export const endian = {
  toBe: (bits: 16 | 32 | 64, dst: number) => item(CLASS.ALU | SOURCE.REG | ALU_OP.END, dst, 0, 0, bits),
  toLe: (bits: 16 | 32 | 64, dst: number) => item(CLASS.ALU | ALU_OP.END, dst, 0, 0, bits),
  swap: (bits: 16 | 32 | 64, dst: number) => item(CLASS.ALU64 | ALU_OP.END, dst, 0, 0, bits),
};

function to(label: Label): CodeTarget {
  return { label, field: 'offset' };
}

/** One conditional jump in its four operand forms; imm32 and reg32 compare the low 32 bits. */
function jump(name: JmpOpName) {
  const op = JMP_OP[name];
  return {
    imm: (dst: number, imm: number, label: Label) => item(CLASS.JMP | op, dst, 0, 0, signed(imm), to(label)),
    reg: (dst: number, src: number, label: Label) => item(CLASS.JMP | SOURCE.REG | op, dst, src, 0, 0, to(label)),
    imm32: (dst: number, imm: number, label: Label) => item(CLASS.JMP32 | op, dst, 0, 0, s32(imm), to(label)),
    reg32: (dst: number, src: number, label: Label) => item(CLASS.JMP32 | SOURCE.REG | op, dst, src, 0, 0, to(label)),
  };
}

export const jeq = jump('JEQ');
export const jne = jump('JNE');
export const jgt = jump('JGT');
export const jge = jump('JGE');
export const jlt = jump('JLT');
export const jle = jump('JLE');
export const jset = jump('JSET');
export const jsgt = jump('JSGT');
export const jsge = jump('JSGE');
export const jslt = jump('JSLT');
export const jsle = jump('JSLE');

/** Unconditional jump; the builder makes it a `gotol` when the target is too far for 16 bits. */
export function ja(label: Label): CodeInstruction {
  return item(CLASS.JMP | JMP_OP.JA, 0, 0, 0, 0, to(label));
}

/** Marks a place. */
export function at(label: Label): CodeItem {
  return { kind: 'label', label };
}

function sized<T>(make: (size: SizeName) => T): { b: T; h: T; w: T; dw: T } {
  return { b: make('B'), h: make('H'), w: make('W'), dw: make('DW') };
}

/** Zero-extending load: `ldx.w(dst, base, offset)`. */
export const ldx = sized((size) => {
  const opcode = CLASS.LDX | MODE.MEM | SIZE[size];
  return (dst: number, src: number, offset: number) => item(opcode, dst, src, offset);
});

/** Sign-extending load (Linux 6.6). */
export const ldsx = sized((size) => {
  const opcode = CLASS.LDX | MODE.MEMSX | SIZE[size];
  return (dst: number, src: number, offset: number) => item(opcode, dst, src, offset);
});

/** Store of a register: `stx.w(base, offset, src)`. */
export const stx = sized((size) => {
  const opcode = CLASS.STX | MODE.MEM | SIZE[size];
  return (dst: number, offset: number, src: number) => item(opcode, dst, src, offset);
});

/** Store of an immediate: `st.w(base, offset, imm)`; sign-extended at 64 bits. */
export const st = sized((size) => {
  const opcode = CLASS.ST | MODE.MEM | SIZE[size];
  const check = size === 'DW' ? signed : s32;
  return (dst: number, offset: number, imm: number) => item(opcode, dst, 0, offset, check(imm));
});

function atomicOp(op: number) {
  const make = (size: 'W' | 'DW') => (dst: number, offset: number, src: number) =>
    item(CLASS.STX | MODE.ATOMIC | SIZE[size], dst, src, offset, op);
  return { w: make('W'), dw: make('DW') };
}

/** Atomic read-modify-write: `atomic.add.dw(base, offset, src)`. `fetch*`, `xchg`: old value in src; `cmpxchg`: in r0. */
export const atomic = {
  add: atomicOp(ATOMIC_OP.ADD),
  or: atomicOp(ATOMIC_OP.OR),
  and: atomicOp(ATOMIC_OP.AND),
  xor: atomicOp(ATOMIC_OP.XOR),
  fetchAdd: atomicOp(ATOMIC_OP.ADD | ATOMIC_OP.FETCH),
  fetchOr: atomicOp(ATOMIC_OP.OR | ATOMIC_OP.FETCH),
  fetchAnd: atomicOp(ATOMIC_OP.AND | ATOMIC_OP.FETCH),
  fetchXor: atomicOp(ATOMIC_OP.XOR | ATOMIC_OP.FETCH),
  xchg: atomicOp(ATOMIC_OP.XCHG),
  cmpxchg: atomicOp(ATOMIC_OP.CMPXCHG),
};

function wide(
  dst: number,
  value: bigint,
  source: number,
  target?: CodeTarget,
  relocation?: PendingRelocation,
): CodeInstruction {
  const [insn, second] = lddwSlots(dst, value, source);
  return { kind: 'insn', insn, second, target, relocation };
}

/** 64-bit immediates: plain, map references, the address of a direct map value, the address of a local function. */
export const lddw = {
  imm: (dst: number, value: bigint) => wide(dst, value, LDDW_SOURCE.IMM),
  map: (dst: number, map: string) => wide(dst, 0n, LDDW_SOURCE.MAP_FD, undefined, { kind: 'map', map }),
  /** Of a one-element ARRAY map; `offset` in bytes into its value. */
  mapValue: (dst: number, map: string, offset = 0) =>
    wide(dst, BigInt(offset) << 32n, LDDW_SOURCE.MAP_VALUE, undefined, { kind: 'mapValue', map, offset }),
  /** For helpers that take a callback; such programs need BTF function information to load. */
  func: (dst: number, label: Label) => wide(dst, 0n, LDDW_SOURCE.FUNC, { label, field: 'imm' }),
};

/** `dst = id of struct NAME in vmlinux's BTF`, filled in when the program is loaded. */
export function movStructId(dst: number, name: string): CodeInstruction {
  return item(CLASS.ALU64 | ALU_OP.MOV, dst, 0, 0, 0, undefined, { kind: 'struct', name });
}

export const call = {
  /** A helper of `enum bpf_func_id`. */
  helper: (id: number) => item(CLASS.JMP | JMP_OP.CALL, 0, CALL_SOURCE.HELPER, 0, id),
  /** A function of this program. */
  local: (label: Label) => item(CLASS.JMP | JMP_OP.CALL, 0, CALL_SOURCE.LOCAL, 0, 0, { label, field: 'imm' }),
  /** A kernel function by name, resolved through BTF when the program is loaded. */
  kfunc: (name: string) =>
    item(CLASS.JMP | JMP_OP.CALL, 0, CALL_SOURCE.KFUNC, 0, 0, undefined, { kind: 'kfunc', name }),
};

export function exit(): CodeInstruction {
  return item(CLASS.JMP | JMP_OP.EXIT);
}
