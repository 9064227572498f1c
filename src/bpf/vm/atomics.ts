/** Atomic instructions. One machine runs one instruction at a time, so they are plain read-modify-write here. */

import { place, where } from './load-store.ts';
import type { Machine } from './machine.ts';

/** imm of load-acquire and store-release (Linux 6.15), beside ATOMIC_OP. */
const LOAD_ACQUIRE = 0x100;
const STORE_RELEASE = 0x110;

const WIDTHS = [4, 2, 1, 8] as const;

/** Runs the atomic instruction `imm` on memory at register word `d` plus `off`; returns what is wrong, or undefined. */
export function runAtomic(
  machine: Machine,
  code: number,
  d: number,
  s: number,
  off: number,
  imm: number,
): string | undefined {
  const { regs, memory } = machine;
  const size = WIDTHS[(code >> 3) & 3]!;
  const ordered = imm === LOAD_ACQUIRE || imm === STORE_RELEASE;
  if (size < 4 && !ordered) return 'no such instruction';
  const base = imm === LOAD_ACQUIRE ? s : d;
  const at = place(regs, memory, base, off, size);
  if (at === -1) return `atomic access of ${size} bytes at ${where(machine, base, off)}, where nothing is`;
  if (at % size !== 0) return `atomic access at ${where(machine, base, off)} is not aligned`;
  const { view, writable, name } = memory.hit;
  if (!writable && imm !== LOAD_ACQUIRE) return `atomic access to ${name}, which is read-only`;

  const mask = size === 1 ? 0xff : size === 2 ? 0xffff : -1;
  const oldLo = size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at, true) : view.getInt32(at, true);
  const oldHi = size === 8 ? view.getInt32(at + 4, true) : 0;
  const lo = regs[s]!;
  const hi = regs[s + 1]!;
  const write = (newLo: number, newHi: number): void => {
    if (size === 1) view.setUint8(at, newLo & mask);
    else if (size === 2) view.setUint16(at, newLo & mask, true);
    else view.setInt32(at, newLo, true);
    if (size === 8) view.setInt32(at + 4, newHi, true);
  };
  const remember = (word: number): void => {
    regs[word] = oldLo;
    regs[word + 1] = oldHi;
  };

  switch (imm) {
    case 0x00:
    case 0x01: {
      const sum = (oldLo >>> 0) + (lo >>> 0);
      write(sum | 0, oldHi + hi + (sum > 0xffffffff ? 1 : 0));
      break;
    }
    case 0x40:
    case 0x41:
      write(oldLo | lo, oldHi | hi);
      break;
    case 0x50:
    case 0x51:
      write(oldLo & lo, oldHi & hi);
      break;
    case 0xa0:
    case 0xa1:
      write(oldLo ^ lo, oldHi ^ hi);
      break;
    case 0xe1:
      write(lo, hi);
      break;
    case 0xf1: {
      if (regs[0] === oldLo && (size === 4 || regs[1] === oldHi)) write(lo, hi);
      remember(0);
      return undefined;
    }
    case LOAD_ACQUIRE:
      remember(d);
      return undefined;
    case STORE_RELEASE:
      write(lo, hi);
      return undefined;
    default:
      return 'no such instruction';
  }
  if ((imm & 1) !== 0) remember(s);
  return undefined;
}
