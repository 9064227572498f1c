/** Reading the kernel's memory by address, in programs that have no typed pointers to what they look for. */

import { add, call, ldx, mov, movStructId } from '../../bpf/assembly.ts';
import type { CodeItem } from '../../bpf/code.ts';
import { R0, R1, R2 } from '../../bpf/instruction.ts';

/** A structure of 16 bytes without inner borders. */
const BYTES = 'in6_addr';

/**
 * dst = the number of `size` bytes at `base + offset`, 0 where nothing can be read; uses r0..r5. `base` is a register that holds an
 * address and outlives calls (or r1).
 */
export function readKernel(size: 'h' | 'w' | 'dw', dst: number, base: number, offset: number): readonly CodeItem[] {
  return [
    ...(base === R1 ? [] : [mov.reg(R1, base)]),
    ...(offset === 0 ? [] : [add.imm(R1, offset)]),
    movStructId(R2, BYTES),
    call.kfunc('bpf_rdonly_cast'),
    ldx[size](dst, R0, 0),
  ];
}
