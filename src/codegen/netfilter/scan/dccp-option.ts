import { add, and, at, ja, jeq, jge, jgt, jlt, lddw, ldx, lsh, mov, rsh, stx, sub } from '../../../bpf/assembly.ts';
import { R1, R2, R3, R6, R7, R8, R9, R10 } from '../../../bpf/instruction.ts';
import { DCCP_HEADER, DCCP_LONG, DCCP_TYPE_BYTES, type DccpOptionScan } from '../../../policy/scan-dccp-option.ts';
import { callOnContext, type HookContext, loadMember } from '../context.ts';
import { CTX } from '../layout.ts';
import { ANSWER, answers, beginLoop, endLoop, FRAME, openPacket, readBytes } from './reading.ts';

/** Options have at most 255 * 4 bytes. */
const MAX_STEPS = 1024;

/** DCCP_TYPE_BYTES / 4, four bits for each type. */
const TYPE_WORDS = DCCP_TYPE_BYTES.reduce((word, bytes, type) => word | (BigInt(bytes / 4) << BigInt(4 * type)), 0n);

/** r0 = what the scan says; r2: place of the DCCP header. */
export function callDccpOption(ctx: HookContext, { option }: DccpOptionScan): void {
  ctx.out.emit(mov.reg(R1, CTX), mov.imm(R3, option), callOnContext(ctx, 'dccp_option', 2, emitDccpOption));
}

/** Function dccp_option(r1 context, r2 place of the DCCP header, r3 kind of option) -> r0 answer. */
function emitDccpOption(ctx: HookContext): void {
  const { out } = ctx;
  // The length is needed only before the loop, the kind only in it.
  const [length, header, end, place] = [R6, R7, R8, R9];
  const option = R6;
  const [evil, no, none, yes] = [out.label('evil'), out.label('no'), out.label('none'), out.label('yes')];
  out.emit(
    stx.dw(R10, FRAME.slot, R3),
    loadMember(ctx, R1, R1, 'bpf_nf_ctx.skb'),
    loadMember(ctx, length, R1, 'sk_buff.len'),
    mov.reg(header, R2),
  );
  openPacket(ctx);
  readBytes(ctx, { base: header, size: DCCP_HEADER }, evil);
  out.emit(
    // r1 = bytes before the options
    ldx.b(R3, R10, FRAME.buffer + 8),
    mov.reg(R2, R3),
    rsh.imm(R2, 1),
    and.imm(R2, 15),
    lsh.imm(R2, 2),
    lddw.imm(R1, TYPE_WORDS),
    rsh.reg(R1, R2),
    and.imm(R1, 15),
    lsh.imm(R1, 2),
    and.imm(R3, 1),
    lsh.imm(R3, Math.log2(DCCP_LONG)),
    add.reg(R1, R3),
    add.imm(R1, DCCP_HEADER),
    ldx.b(end, R10, FRAME.buffer + 4),
    lsh.imm(end, 2),
    jlt.reg(end, R1, evil),
    jeq.reg(end, R1, no),
    add.reg(end, header),
    jgt.reg(end, length, evil),
    mov.reg(place, header),
    add.reg(place, R1),
    ldx.dw(option, R10, FRAME.slot),
  );
  const head = beginLoop(ctx, MAX_STEPS, none);
  out.emit(jge.reg(place, end, none));
  readBytes(ctx, { base: place, size: 1 }, none);
  out.emit(
    ldx.b(R1, R10, FRAME.buffer),
    jeq.reg(R1, option, yes),
    add.imm(place, 1),
    jlt.imm(R1, 2, head),
    jge.reg(place, end, none),
  );
  readBytes(ctx, { base: place, size: 1 }, none);
  out.emit(ldx.b(R1, R10, FRAME.buffer), jeq.imm(R1, 0, head), sub.imm(R1, 1), add.reg(place, R1), ja(head));
  out.emit(at(none));
  endLoop(ctx);
  answers(ctx, [
    [no, ANSWER.no],
    [evil, ANSWER.evil],
  ]);
  out.emit(at(yes));
  endLoop(ctx);
  answers(ctx, [[out.label('end'), ANSWER.yes]]);
}
