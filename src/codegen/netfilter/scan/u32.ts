import { add, and, exit, jgt, lddw, lsh, mov, rsh } from '../../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../../bpf/code.ts';
import { R0, R1, R2, R6, R7, R8 } from '../../../bpf/instruction.ts';
import type { U32Scan } from '../../../policy/scan-u32.ts';
import { type HookContext, loadMember } from '../context.ts';
import { callReadBytes } from '../payload.ts';
import { jumpIfInRanges } from '../ranges.ts';
import { ANSWER, answers } from './reading.ts';

const [SKB, LENGTH, PLACE] = [R6, R7, R8];

/** Function of a U32Scan: (r1 skb) -> r0 answer. All places are below 2^37, so they are compared as they are. */
export function emitU32Scan(ctx: HookContext, scan: U32Scan): void {
  const { out } = ctx;
  const no = out.label('no');
  out.emit(mov.reg(SKB, R1), loadMember(ctx, LENGTH, SKB, 'sk_buff.len'), mov.imm(PLACE, 0));
  read(ctx, scan.start, no);
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
        out.emit(add.reg(PLACE, R0));
        read(ctx, operand, no);
    }
  }
  out.emit(mov.reg(R1, R0));
  const ranges = scan.ranges.map(({ min, max }) => ({ min: BigInt(min), max: BigInt(max) }));
  jumpIfInRanges(ctx, { bits: 32, max: 0xffffffffn, ranges }, false, { label: no, leaves: false, elseLeaves: false });
  out.emit(mov.imm(R0, ANSWER.yes), exit());
  answers(ctx, [[no, ANSWER.no]]);
}

/** r0 = the four bytes `offset` behind the place; jumps to `no` unless all of them are there. */
function read(ctx: HookContext, offset: number, no: Label): void {
  const { out } = ctx;
  out.emit(...constant(R2, offset), add.reg(R2, PLACE), mov.reg(R1, R2), add.imm(R1, 4), jgt.reg(R1, LENGTH, no));
  out.emit(mov.reg(R1, SKB), ...callReadBytes(ctx, 32));
}

function constant(register: number, value: number): readonly CodeItem[] {
  return [value <= 0x7fffffff ? mov.imm(register, value) : lddw.imm(register, BigInt(value))];
}
