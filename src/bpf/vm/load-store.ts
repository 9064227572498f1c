/** Loads and stores of the virtual machine. Each returns what is wrong, or undefined. */

import type { Machine } from './machine.ts';
import { hexAddress, joinHalves, locate, type Memory, regionOf } from './memory.ts';

/** Bytes by the size field of a load or store opcode (bits 3 and 4): W, H, B, DW. */
const WIDTHS = [4, 2, 1, 8] as const;

/** `r(d/2) = *(size *)(r(s/2) + off)`, zero or sign extending as the opcode's mode says. */
export function loadMemory(machine: Machine, code: number, d: number, s: number, off: number): string | undefined {
  const { regs, memory } = machine;
  const mode = code >> 5;
  if (mode !== 3 && mode !== 4) return 'no such instruction';
  const size = WIDTHS[(code >> 3) & 3]!;
  const at = place(regs, memory, s, off, size);
  if (at === -1) {
    const problem = unreadable(machine, s, off, size);
    if (problem !== undefined) return problem;
    regs[d] = 0;
    regs[d + 1] = 0;
    return undefined;
  }
  const { view } = memory.hit;
  if (size === 8) {
    if (mode === 4) return 'no such instruction';
    regs[d] = view.getInt32(at, true);
    regs[d + 1] = view.getInt32(at + 4, true);
    return undefined;
  }
  if (mode === 3) {
    regs[d] = size === 4 ? view.getInt32(at, true) : size === 2 ? view.getUint16(at, true) : view.getUint8(at);
    regs[d + 1] = 0;
    return undefined;
  }
  const value = size === 4 ? view.getInt32(at, true) : size === 2 ? view.getInt16(at, true) : view.getInt8(at);
  regs[d] = value;
  regs[d + 1] = value >> 31;
  return undefined;
}

/** `*(size *)(r(d/2) + off) = lo, hi`. */
export function storeMemory(
  machine: Machine,
  code: number,
  d: number,
  off: number,
  lo: number,
  hi: number,
): string | undefined {
  const { regs, memory } = machine;
  if (code >> 5 !== 3) return 'no such instruction';
  const size = WIDTHS[(code >> 3) & 3]!;
  const at = place(regs, memory, d, off, size);
  if (at === -1) return `store of ${size} bytes to ${where(machine, d, off)}, where nothing is`;
  const { view, writable, name } = memory.hit;
  if (!writable) return `store to ${name}, which is read-only`;
  if (size === 8) {
    view.setInt32(at, lo, true);
    view.setInt32(at + 4, hi, true);
  } else if (size === 4) view.setInt32(at, lo, true);
  else if (size === 2) view.setInt16(at, lo, true);
  else view.setInt8(at, lo);
  return undefined;
}

/** Offset of the accessed bytes in `memory.hit`, or -1. `base` is the word of the base register. */
export function place(regs: Int32Array, memory: Memory, base: number, off: number, size: number): number {
  const lo = (regs[base]! >>> 0) + off;
  // A carry or borrow out of the low half moves to another region: that is an address nobody has.
  if (lo < 0 || lo > 0xffffffff) return -1;
  return locate(memory, lo, regs[base + 1]!, size);
}

/** Why a load from nowhere is a fault; undefined when it reads zero. */
function unreadable(machine: Machine, base: number, off: number, size: number): string | undefined {
  const region = regionOf(machine.memory, machine.regs[base + 1]!);
  if (region?.strict === true) {
    return `load of ${size} bytes at ${where(machine, base, off)}, past the ends of ${region.name}`;
  }
  if (region === undefined && machine.unmapped === 'fault') {
    return `load of ${size} bytes at ${where(machine, base, off)}, where nothing is`;
  }
  return undefined;
}

/** The accessed address, for messages. */
export function where(machine: Machine, base: number, off: number): string {
  return hexAddress(joinHalves(machine.regs[base]!, machine.regs[base + 1]!) + BigInt(off));
}
