/**
 * From a ProgramSpec to a program the machine runs: instructions taken apart into arrays, relocations filled in with
 * the machine's own addresses and function numbers.
 */

import { decodeInstruction, SLOT_SIZE } from '../instruction.ts';
import { LDDW, LDDW_SOURCE } from '../opcodes.ts';
import type { ProgramSpec, Relocation } from '../program.ts';
import type { Machine } from './machine.ts';
import type { VmMap } from './maps.ts';
import { highHalf, lowHalf } from './memory.ts';

/** Instruction fields by slot. */
export interface VmProgram {
  readonly name: string;
  readonly op: Uint8Array;
  readonly dst: Uint8Array;
  readonly src: Uint8Array;
  readonly off: Int16Array;
  readonly imm: Int32Array;
}

/** Upper half of the address of a function (`lddw` with BPF_PSEUDO_FUNC); the lower half is its slot. */
export const FUNCTION_HI = 0xffffffff | 0;

/** Throws an Error when a map or kfunc is missing. `maps` by the names that the program uses. */
export function linkProgram(
  machine: Machine,
  spec: Pick<ProgramSpec, 'name' | 'insns' | 'relocations'>,
  maps: ReadonlyMap<string, VmMap>,
): VmProgram {
  const count = spec.insns.length / SLOT_SIZE;
  const program: VmProgram = {
    name: spec.name,
    op: new Uint8Array(count),
    dst: new Uint8Array(count),
    src: new Uint8Array(count),
    off: new Int16Array(count),
    imm: new Int32Array(count),
  };
  const view = new DataView(spec.insns.buffer, spec.insns.byteOffset, spec.insns.byteLength);
  for (let slot = 0; slot < count; slot++) {
    const insn = decodeInstruction(view, slot * SLOT_SIZE);
    program.op[slot] = insn.opcode;
    program.dst[slot] = insn.dst;
    program.src[slot] = insn.src;
    program.off[slot] = insn.offset;
    program.imm[slot] = insn.imm;
  }
  linkFunctionAddresses(program);
  for (const relocation of spec.relocations) linkRelocation(machine, program, relocation, maps);
  return program;
}

function linkFunctionAddresses(program: VmProgram): void {
  for (let slot = 0; slot < program.op.length; slot++) {
    if (program.op[slot] !== LDDW) continue;
    if (program.src[slot] === LDDW_SOURCE.FUNC) {
      program.imm[slot] = slot + program.imm[slot]! + 1;
      program.imm[slot + 1] = FUNCTION_HI;
    }
    slot++;
  }
}

function linkRelocation(
  machine: Machine,
  program: VmProgram,
  relocation: Relocation,
  maps: ReadonlyMap<string, VmMap>,
): void {
  const { slot } = relocation;
  const setAddress = (address: bigint): void => {
    program.imm[slot] = lowHalf(address);
    program.imm[slot + 1] = highHalf(address);
  };
  const mapNamed = (name: string): VmMap => {
    const map = maps.get(name);
    if (map === undefined) throw new Error(`${program.name}: slot ${slot}: no map "${name}"`);
    return map;
  };
  switch (relocation.kind) {
    case 'map':
      setAddress(mapNamed(relocation.map).handle);
      break;
    case 'mapValue': {
      const map = mapNamed(relocation.map);
      if (map.kind !== 'array') throw new Error(`${program.name}: slot ${slot}: "${relocation.map}" is not an array`);
      setAddress(map.values.base + BigInt(relocation.offset));
      break;
    }
    case 'kfunc': {
      const index = machine.kfuncs.findIndex((kfunc) => kfunc.name === relocation.name);
      if (index === -1) throw new Error(`${program.name}: slot ${slot}: unknown kernel function ${relocation.name}`);
      program.imm[slot] = index;
      break;
    }
    case 'struct':
      // Any number will do: nothing in the machine looks at the ids of types.
      program.imm[slot] = 1;
      break;
  }
}

/** The fields of one instruction, for messages. */
export function describe(program: VmProgram, slot: number): string {
  const code = program.op[slot];
  if (code === undefined) return 'there is no such slot';
  const fields = `dst r${program.dst[slot]} src r${program.src[slot]} off ${program.off[slot]} imm ${program.imm[slot]}`;
  return `opcode 0x${code.toString(16).padStart(2, '0')} ${fields}`;
}
