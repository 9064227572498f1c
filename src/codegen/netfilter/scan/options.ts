import { add, jlt, jne, ldx, lsh, mov, sub } from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R1, R7, R8, R9, R10 } from '../../../bpf/instruction.ts';
import type { OptionSequence } from '../../../policy/scan.ts';
import type { HookContext } from '../context.ts';
import { FRAME, readBytes } from './reading.ts';

/** Bytes of the header before its options. */
const BEFORE = 2;

/** Jumps to `no` unless the options of the header at r7 begin with these; its first two bytes are in the buffer. */
export function jumpUnlessOptions(ctx: HookContext, { options }: OptionSequence, no: Label): void {
  const { out } = ctx;
  const [place, left] = [R8, R9];
  out.emit(
    mov.reg(place, R7),
    add.imm(place, BEFORE),
    ldx.b(left, R10, FRAME.buffer + 1),
    add.imm(left, 1),
    lsh.imm(left, 3),
    sub.imm(left, BEFORE),
  );
  options.forEach(({ type, length }, index) => {
    const last = index === options.length - 1;
    out.emit(jlt.imm(left, type === 0 ? 1 : 2, no));
    readBytes(ctx, { base: place, size: type === 0 ? 1 : 2 }, no);
    out.emit(ldx.b(R1, R10, FRAME.buffer), jne.imm(R1, type, no));
    if (type === 0) out.emit(mov.imm(R1, 1));
    else {
      out.emit(ldx.b(R1, R10, FRAME.buffer + 1));
      if (length !== undefined) out.emit(jne.imm(R1, length, no));
      out.emit(add.imm(R1, 2));
    }
    if (!last) out.emit(jlt.reg(left, R1, no), add.reg(place, R1), sub.reg(left, R1));
  });
}
