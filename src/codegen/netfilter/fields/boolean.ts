import { mov, neg, or, rsh } from '../../../bpf/assembly.ts';
import { R1, R2 } from '../../../bpf/instruction.ts';
import type { HookContext } from '../context.ts';

/** r1 = 1 if r1 holds anything but 0, without a branch; uses r2. */
export function makeBoolean(ctx: HookContext): void {
  ctx.out.emit(mov.reg(R2, R1), neg.reg(R2), or.reg(R1, R2), rsh.imm(R1, 63));
}
