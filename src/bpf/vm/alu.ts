/**
 * Arithmetic of the virtual machine on registers held as pairs of 32-bit halves: register r lies at words 2r (low) and
 * 2r + 1 (high) of an Int32Array. `code` is the upper four bits of the opcode (RFC 9669 section 4.1).
 */

import { highHalf, joinHalves, lowHalf } from './memory.ts';

/** The 64-bit operation `code` on the register at word `d` with the operand `slo`, `shi`. False: no such operation. */
export function alu64(
  regs: Int32Array,
  code: number,
  d: number,
  slo: number,
  shi: number,
  off: number,
  fromRegister: boolean,
): boolean {
  const lo = regs[d]!;
  const hi = regs[d + 1]!;
  switch (code) {
    case 0x0: {
      const sum = (lo >>> 0) + (slo >>> 0);
      regs[d] = sum;
      regs[d + 1] = hi + shi + (sum > 0xffffffff ? 1 : 0);
      return off === 0;
    }
    case 0x1: {
      const difference = (lo >>> 0) - (slo >>> 0);
      regs[d] = difference;
      regs[d + 1] = hi - shi - (difference < 0 ? 1 : 0);
      return off === 0;
    }
    case 0x2:
      multiply(regs, d, lo, hi, slo, shi);
      return off === 0;
    case 0x3:
    case 0x9:
      return divide(regs, code, d, slo, shi, off);
    case 0x4:
      regs[d] = lo | slo;
      regs[d + 1] = hi | shi;
      return off === 0;
    case 0x5:
      regs[d] = lo & slo;
      regs[d + 1] = hi & shi;
      return off === 0;
    case 0x6: {
      const n = slo & 63;
      if (n === 0) return off === 0;
      regs[d] = n < 32 ? lo << n : 0;
      regs[d + 1] = n < 32 ? (hi << n) | (lo >>> (32 - n)) : lo << (n - 32);
      return off === 0;
    }
    case 0x7: {
      const n = slo & 63;
      if (n === 0) return off === 0;
      regs[d] = n < 32 ? (lo >>> n) | (hi << (32 - n)) : hi >>> (n - 32);
      regs[d + 1] = n < 32 ? hi >>> n : 0;
      return off === 0;
    }
    case 0x8:
      regs[d] = -lo;
      regs[d + 1] = ~hi + (lo === 0 ? 1 : 0);
      return off === 0 && !fromRegister;
    case 0xa:
      regs[d] = lo ^ slo;
      regs[d + 1] = hi ^ shi;
      return off === 0;
    case 0xb:
      return move64(regs, d, slo, shi, off, fromRegister);
    case 0xc: {
      const n = slo & 63;
      if (n === 0) return off === 0;
      regs[d] = n < 32 ? (lo >>> n) | (hi << (32 - n)) : hi >> (n - 32);
      regs[d + 1] = n < 32 ? hi >> n : hi >> 31;
      return off === 0;
    }
    default:
      return false;
  }
}

/** The 32-bit operation: works on the low half and clears the high one. */
export function alu32(
  regs: Int32Array,
  code: number,
  d: number,
  src: number,
  off: number,
  fromRegister: boolean,
): boolean {
  const lo = regs[d]!;
  regs[d + 1] = 0;
  switch (code) {
    case 0x0:
      regs[d] = lo + src;
      return off === 0;
    case 0x1:
      regs[d] = lo - src;
      return off === 0;
    case 0x2:
      regs[d] = Math.imul(lo, src);
      return off === 0;
    case 0x3:
      if (off === 0) regs[d] = src === 0 ? 0 : (lo >>> 0) / (src >>> 0);
      else regs[d] = src === 0 ? 0 : lo / src;
      return off === 0 || off === 1;
    case 0x4:
      regs[d] = lo | src;
      return off === 0;
    case 0x5:
      regs[d] = lo & src;
      return off === 0;
    case 0x6:
      regs[d] = lo << src;
      return off === 0;
    case 0x7:
      regs[d] = lo >>> src;
      return off === 0;
    case 0x8:
      regs[d] = -lo;
      return off === 0 && !fromRegister;
    case 0x9:
      if (src !== 0) regs[d] = off === 0 ? (lo >>> 0) % (src >>> 0) : lo % src;
      return off === 0 || off === 1;
    case 0xa:
      regs[d] = lo ^ src;
      return off === 0;
    case 0xb:
      if (off === 0) regs[d] = src;
      else if (off === 8) regs[d] = (src << 24) >> 24;
      else if (off === 16) regs[d] = (src << 16) >> 16;
      return off === 0 || (fromRegister && (off === 8 || off === 16));
    case 0xc:
      regs[d] = lo >> src;
      return off === 0;
    default:
      return false;
  }
}

function move64(regs: Int32Array, d: number, slo: number, shi: number, off: number, fromRegister: boolean): boolean {
  if (off === 0) {
    regs[d] = slo;
    regs[d + 1] = shi;
    return true;
  }
  if (!fromRegister || (off !== 8 && off !== 16 && off !== 32)) return false;
  const shift = 32 - off;
  const value = (slo << shift) >> shift;
  regs[d] = value;
  regs[d + 1] = value >> 31;
  return true;
}

/**
 * Byte order operations on the register at word `d`. `kind` is 'le' (truncate), 'be' or 'swap' (reverse); the machine
 * is little endian. False: no such width.
 */
export function byteOrder(regs: Int32Array, kind: 'le' | 'be' | 'swap', d: number, width: number): boolean {
  const lo = regs[d]!;
  const hi = regs[d + 1]!;
  if (width === 64) {
    if (kind !== 'le') {
      regs[d] = swap32(hi);
      regs[d + 1] = swap32(lo);
    }
    return true;
  }
  regs[d + 1] = 0;
  if (width === 32) {
    if (kind !== 'le') regs[d] = swap32(lo);
    return true;
  }
  if (width === 16) {
    regs[d] = kind === 'le' ? lo & 0xffff : ((lo & 0xff) << 8) | ((lo >>> 8) & 0xff);
    return true;
  }
  return false;
}

function swap32(v: number): number {
  return (v << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24);
}

function multiply(regs: Int32Array, d: number, lo: number, hi: number, slo: number, shi: number): void {
  // 32 x 32 -> 64 by 16-bit digits: no partial sum leaves the 53 bits that a double holds exactly.
  const a0 = lo & 0xffff;
  const a1 = lo >>> 16;
  const b0 = slo & 0xffff;
  const b1 = slo >>> 16;
  const low = a0 * b0;
  const middle = a0 * b1 + a1 * b0 + Math.floor(low / 0x10000);
  regs[d] = (middle << 16) | (low & 0xffff);
  regs[d + 1] = a1 * b1 + Math.floor(middle / 0x10000) + Math.imul(lo, shi) + Math.imul(hi, slo);
}

function divide(regs: Int32Array, code: number, d: number, slo: number, shi: number, off: number): boolean {
  const lo = regs[d]!;
  const hi = regs[d + 1]!;
  const modulo = code === 0x9;
  if (off !== 0 && off !== 1) return false;
  if (slo === 0 && shi === 0) {
    // Division by zero gives 0, modulo zero leaves the register (RFC 9669).
    if (!modulo) {
      regs[d] = 0;
      regs[d + 1] = 0;
    }
    return true;
  }
  if (off === 0 && hi === 0 && shi === 0) {
    regs[d] = modulo ? (lo >>> 0) % (slo >>> 0) : (lo >>> 0) / (slo >>> 0);
    return true;
  }
  let a = joinHalves(lo, hi);
  let b = joinHalves(slo, shi);
  if (off === 1) {
    a = BigInt.asIntN(64, a);
    b = BigInt.asIntN(64, b);
  }
  // BigInt truncates towards zero and the remainder has the sign of the dividend, as C's; MIN / -1 wraps to MIN.
  const result = modulo ? a % b : a / b;
  regs[d] = lowHalf(result);
  regs[d + 1] = highHalf(result);
  return true;
}
