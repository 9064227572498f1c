import { add, at, ja, jeq, jgt, ldx, lsh, mov } from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R1, R2, R7, R8, R10 } from '../../../bpf/instruction.ts';
import type { SegmentTests } from '../../../policy/scan.ts';
import type { HookContext } from '../context.ts';
import { ADDRESS, BEFORE, jumpUnlessAddress } from './addresses.ts';
import { FRAME, readBytes } from './reading.ts';

/** Bytes of the header: how many segments are left, the index of the last entry. */
const [LEFT, LAST] = [3, 4];

/** Jumps to `no` unless these hold for the segment routing header at r7; reads its fixed part again. */
export function jumpUnlessSegments(ctx: HookContext, { tests }: SegmentTests, no: Label): void {
  const { out } = ctx;
  const place = R8;
  loadNumbers(ctx);
  out.emit(jgt.reg(R1, R2, no));
  for (const { segment, address, mask, invert } of tests) {
    if (segment === 'last') out.emit(mov.reg(place, R7));
    else {
      readBytes(ctx, { base: R7, size: BEFORE }, no);
      loadNumbers(ctx);
      out.emit(
        segment === 'previous' ? jeq.reg(R1, R2, no) : jeq.imm(R1, 0, no),
        add.imm(R1, segment === 'previous' ? 1 : -1),
        lsh.imm(R1, Math.log2(ADDRESS)),
        mov.reg(place, R7),
        add.reg(place, R1),
      );
    }
    readBytes(ctx, { base: place, offset: BEFORE, size: ADDRESS }, no);
    if (!invert) {
      jumpUnlessAddress(ctx, address, mask, no);
      continue;
    }
    const different = out.label('different');
    jumpUnlessAddress(ctx, address, mask, different);
    out.emit(ja(no), at(different));
  }
}

/** r1 = segments left, r2 = last entry, from the buffer. */
function loadNumbers(ctx: HookContext): void {
  ctx.out.emit(ldx.b(R1, R10, FRAME.buffer + LEFT), ldx.b(R2, R10, FRAME.buffer + LAST));
}
