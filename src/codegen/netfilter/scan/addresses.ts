import { add, and, at, ja, jeq, jlt, jne, lddw, ldx, mov, rsh } from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R1, R2, R6, R7, R8, R9, R10 } from '../../../bpf/instruction.ts';
import type { AddressSequence } from '../../../policy/scan.ts';
import type { HookContext } from '../context.ts';
import { beginLoop, endLoop, FRAME, readBytes } from './reading.ts';

/** Of a routing header: bytes before the addresses, and of an address. */
export const BEFORE = 8;
export const ADDRESS = 16;
/** More than a header of 255 * 8 bytes can have. */
const MAX_ADDRESSES = 128;

/** Jumps to `no` unless the routing header at r7 has these addresses; its first two bytes are in the buffer. */
export function jumpUnlessAddresses(ctx: HookContext, { addresses, strict }: AddressSequence, no: Label): void {
  const { out } = ctx;
  const count = R8;
  // The length counts units of 8 bytes, an address takes two.
  out.emit(ldx.b(count, R10, FRAME.buffer + 1), rsh.imm(count, 1));
  if (!strict) {
    out.emit(jlt.imm(count, addresses.length, no));
    searchInOrder(ctx, addresses, no);
    return;
  }
  out.emit(jne.imm(count, addresses.length, no));
  addresses.forEach((address, index) => {
    readBytes(ctx, { base: R7, offset: BEFORE + index * ADDRESS, size: ADDRESS }, no);
    jumpUnlessAddress(ctx, address, undefined, no);
  });
}

/** r6 how many were found, r8 how many there are, r9 place of the next one. */
function searchInOrder(ctx: HookContext, addresses: readonly string[], no: Label): void {
  const { out } = ctx;
  const [found, left, place] = [R6, R8, R9];
  const [over, all, next] = [out.label('over'), out.label('all'), out.label('next')];
  out.emit(mov.imm(found, 0), mov.reg(place, R7), add.imm(place, BEFORE));
  const head = beginLoop(ctx, MAX_ADDRESSES, over);
  out.emit(jeq.imm(left, 0, over), add.imm(left, -1));
  readBytes(ctx, { base: place, size: ADDRESS }, over);
  out.emit(add.imm(place, ADDRESS));
  addresses.forEach((address, index) => {
    const other = out.label('other');
    out.emit(jne.imm(found, index, other));
    jumpUnlessAddress(ctx, address, undefined, next);
    out.emit(mov.imm(found, index + 1), ja(index + 1 === addresses.length ? all : next), at(other));
  });
  out.emit(at(next), ja(head), at(over));
  endLoop(ctx);
  out.emit(ja(no), at(all));
  endLoop(ctx);
}

/** Jumps to `no` unless the 16 bytes in the buffer, masked, are this address (32 hexadecimal digits); uses r1 and r2. */
export function jumpUnlessAddress(ctx: HookContext, address: string, mask: string | undefined, no: Label): void {
  const { out } = ctx;
  for (const half of [0, 8]) {
    const wanted = inMemory(address, half);
    const bits = mask === undefined ? ONES : inMemory(mask, half);
    if (bits === 0n) continue;
    out.emit(ldx.dw(R1, R10, FRAME.buffer + half));
    if (bits !== ONES) out.emit(lddw.imm(R2, bits), and.reg(R1, R2));
    out.emit(lddw.imm(R2, wanted), jne.reg(R1, R2, no));
  }
}

const ONES = (1n << 64n) - 1n;

/** Eight bytes of hexadecimal digits as the number that a little-endian load of them gives. */
function inMemory(digits: string, at: number): bigint {
  const bytes = digits.slice(at * 2, at * 2 + 16).match(/../g) ?? [];
  return BigInt(`0x${bytes.reverse().join('')}`);
}
