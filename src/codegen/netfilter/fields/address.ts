/** Following pointers by their addresses: what the verifier takes for plain numbers can be computed with and kept anywhere. */

import { add, ldx } from '../../../bpf/assembly.ts';
import { R0, R1 } from '../../../bpf/instruction.ts';
import { BYTES, castTo } from '../cast.ts';
import type { HookContext } from '../context.ts';

/** r0 = the bytes at r1 + offset, 16 of them readable; uses r1..r5. */
export function castBytes(ctx: HookContext, offset: number): void {
  if (offset !== 0) ctx.out.emit(add.imm(R1, offset));
  castTo(ctx, BYTES);
}

/** r1 = the address in memory at r1 + offset, 0 where nothing can be read. */
export function followPointer(ctx: HookContext, offset: number): void {
  castBytes(ctx, offset);
  ctx.out.emit(ldx.dw(R1, R0, 0));
}
