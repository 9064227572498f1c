/**
 * One 8-byte instruction slot, as a value and as bytes.
 *
 *      byte    0         1            2..3          4..7
 *          +--------+---------+----------------+--------------+
 *          | opcode | src dst |  offset (s16)  |  imm (s32)   |      little endian
 *          +--------+---------+----------------+--------------+
 *                    7-4  3-0
 *
 * `lddw` takes two slots: the low half of its 64-bit immediate is imm of the first, the high half imm of the second,
 * whose other fields are zero.
 */

import { LDDW, LDDW_SOURCE } from './opcodes.ts';

/** Registers are plain numbers; these names make code read like assembly. r10 is the read-only frame pointer. */
export const R0 = 0;
export const R1 = 1;
export const R2 = 2;
export const R3 = 3;
export const R4 = 4;
export const R5 = 5;
export const R6 = 6;
export const R7 = 7;
export const R8 = 8;
export const R9 = 9;
export const R10 = 10;
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

export interface Instruction {
  readonly opcode: number;
  /** 0..10 (the field holds up to 15; the kernel refuses more than 10). */
  readonly dst: number;
  readonly src: number;
  /** -32768..32767 */
  readonly offset: number;
  /** -2^31 .. 2^31 - 1 */
  readonly imm: number;
}

/** Bytes of one slot. */
export const SLOT_SIZE = 8;

/** Writes one slot at byte `at`. Throws a RangeError when a field does not fit. */
export function encodeInstruction(insn: Instruction, out: DataView, at: number): void {
  check('opcode', insn.opcode, 0, 0xff);
  check('dst', insn.dst, 0, 15);
  check('src', insn.src, 0, 15);
  check('offset', insn.offset, -0x8000, 0x7fff);
  check('imm', insn.imm, -0x80000000, 0x7fffffff);
  out.setUint8(at, insn.opcode);
  out.setUint8(at + 1, (insn.src << 4) | insn.dst);
  out.setInt16(at + 2, insn.offset, true);
  out.setInt32(at + 4, insn.imm, true);
}

/** Reads the slot at byte `at`. */
export function decodeInstruction(code: DataView, at: number): Instruction {
  const registers = code.getUint8(at + 1);
  return {
    opcode: code.getUint8(at),
    dst: registers & 0x0f,
    src: registers >> 4,
    offset: code.getInt16(at + 2, true),
    imm: code.getInt32(at + 4, true),
  };
}

/** The two slots of `lddw dst, value`; `source` is one of LDDW_SOURCE. Only the low 64 bits of `value` count. */
export function lddwSlots(dst: number, value: bigint, source: number = LDDW_SOURCE.IMM): [Instruction, Instruction] {
  const low = Number(BigInt.asIntN(32, value));
  const high = Number(BigInt.asIntN(32, value >> 32n));
  return [
    { opcode: LDDW, dst, src: source, offset: 0, imm: low },
    { opcode: 0, dst: 0, src: 0, offset: 0, imm: high },
  ];
}

/** The 64-bit immediate (unsigned) of the `lddw` whose two slots are given. */
export function lddwValue(first: Instruction, second: Instruction): bigint {
  return (BigInt(second.imm >>> 0) << 32n) | BigInt(first.imm >>> 0);
}

/** Encodes a list of slots. */
export function encodeInstructions(insns: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(insns.length * SLOT_SIZE);
  const view = new DataView(bytes.buffer);
  insns.forEach((insn, index) => {
    encodeInstruction(insn, view, index * SLOT_SIZE);
  });
  return bytes;
}

/** Decodes all slots of a program; `lddw` comes out as its two slots. Throws when the length is not a multiple of 8. */
export function decodeInstructions(bytes: Uint8Array): Instruction[] {
  if (bytes.length % SLOT_SIZE !== 0) throw new RangeError(`program of ${bytes.length} bytes is not a list of slots`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const insns: Instruction[] = [];
  for (let at = 0; at < bytes.length; at += SLOT_SIZE) insns.push(decodeInstruction(view, at));
  return insns;
}

function check(field: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`instruction field ${field} is ${value}, must be ${min}..${max}`);
  }
}
