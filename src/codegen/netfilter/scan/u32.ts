import { add, and, at, jgt, lddw, ldx, lsh, mov, rsh, stx } from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R10 } from '../../../bpf/instruction.ts';
import type { U32Scan } from '../../../policy/scan-u32.ts';
import { inside, jumpTo, type Target } from '../branch.ts';
import { type HookContext, loadMember, loadSkb, releaseScratch } from '../context.ts';
import { STACK } from '../layout.ts';
import { callReadBytes } from '../payload.ts';
import { jumpIfInRanges } from '../ranges.ts';

/**
 * Jumps to `target` if (the program's number lies in its ranges) equals `sense`. The number is in r0; the place that `@` has
 * reached, where it moves more than once, in the value cell.
 */
export function jumpIfU32(ctx: HookContext, scan: U32Scan, sense: boolean, target: Target): void {
  const { out } = ctx;
  const [missing, done] = [inside(ctx, 'missing'), inside(ctx, 'done')];
  const moves = scan.steps.filter(({ operator }) => operator === '@').length;
  let moved = 0;
  out.emit(scan.start <= 0x7fffffff ? mov.imm(R2, scan.start) : lddw.imm(R2, BigInt(scan.start)));
  read(ctx, missing.label);
  for (const { operator, operand } of scan.steps) {
    switch (operator) {
      case '&':
        out.emit(and.imm32(R0, operand));
        break;
      case '<<':
        out.emit(lsh.imm32(R0, operand));
        break;
      case '>>':
        out.emit(rsh.imm32(R0, operand));
        break;
      case '@':
        // The sum cannot exceed 32 bits and be in the packet.
        if (moved > 0) out.emit(ldx.w(R1, R10, STACK.valueCell), add.reg(R0, R1));
        moved++;
        if (moved < moves) out.emit(stx.w(R10, STACK.valueCell, R0));
        out.emit(operand <= 0x7fffffff ? mov.imm(R2, operand) : lddw.imm(R2, BigInt(operand)), add.reg(R2, R0));
        read(ctx, missing.label);
    }
  }
  if (moves > 1) releaseScratch(ctx, STACK.value);
  out.emit(mov.reg(R1, R0));
  const ranges = scan.ranges.map(({ min, max }) => ({ min: BigInt(min), max: BigInt(max) }));
  jumpIfInRanges(ctx, { bits: 32, max: 0xffffffffn, ranges }, sense, target);
  jumpTo(ctx, done);
  out.emit(at(missing.label));
  if (moves > 1) releaseScratch(ctx, STACK.value);
  if (!sense) jumpTo(ctx, target);
  out.emit(at(done.label));
}

/** r0 = the four bytes at r2; jumps to `missing` unless all of them are there. */
function read(ctx: HookContext, missing: Label): void {
  ctx.out.emit(
    loadSkb(ctx, R1),
    loadMember(ctx, R3, R1, 'sk_buff.len'),
    mov.reg(R4, R2),
    add.imm(R4, 4),
    jgt.reg(R4, R3, missing),
    ...callReadBytes(ctx, 32),
    mov.reg32(R0, R0),
  );
}
