import { add, at, endian, exit, ja, jeq, jge, jlt, jne, ldx, lsh, mov, rsh, sub } from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R0, R1, R2, R6, R7, R8, R9, R10 } from '../../../bpf/instruction.ts';
import type { TcpMssScan } from '../../../policy/scan-tcp-mss.ts';
import type { Target } from '../branch.ts';
import { callOnContext, type HookContext, loadMember } from '../context.ts';
import { CTX } from '../layout.ts';
import { jumpIfInRanges } from '../ranges.ts';
import { answers, beginLoop, endLoop, FRAME, openPacket, readBytes } from './reading.ts';

const TCP_HEADER = 20;
const MSS = { kind: 2, length: 4 } as const;
/** More than the 40 bytes of options can ever need. */
const MAX_STEPS = 64;

/** More than any size: there is none. */
const NONE = 0x10000;

/** Jumps to `target` if (there is a segment size, and it lies in the ranges) equals `sense`. r2: place of the TCP header. */
export function jumpIfTcpMss(ctx: HookContext, scan: TcpMssScan, sense: boolean, target: Target): void {
  ctx.out.emit(mov.reg(R1, CTX), callOnContext(ctx, 'tcp_mss', 1, emitTcpMss), mov.reg32(R1, R0));
  const ranges = scan.ranges.map(({ min, max }) => ({ min: BigInt(min), max: BigInt(max) }));
  jumpIfInRanges(ctx, { bits: 32, max: BigInt(NONE), ranges }, sense, target);
}

/** Function tcp_mss(r1 context, r2 place of the TCP header) -> r0 size in bytes, or NONE. */
function emitTcpMss(ctx: HookContext): void {
  const { out } = ctx;
  const [kind, end, place] = [R7, R8, R9];
  const [next, no, none, found] = ['next', 'no', 'none', 'found'].map((hint) => out.label(hint)) as Labels;
  out.emit(loadMember(ctx, R1, R1, 'bpf_nf_ctx.skb'), mov.reg(R6, R2), mov.reg(place, R2), add.imm(place, TCP_HEADER));
  openPacket(ctx);
  readBytes(ctx, { base: R6, offset: 12, size: 1 }, no);
  out.emit(ldx.b(end, R10, FRAME.buffer), rsh.imm(end, 4), lsh.imm(end, 2), add.reg(end, R6));
  const head = beginLoop(ctx, MAX_STEPS, none);
  out.emit(jge.reg(place, end, none));
  readBytes(ctx, { base: place, size: 1 }, none);
  out.emit(ldx.b(kind, R10, FRAME.buffer), add.imm(place, 1), jlt.imm(kind, 2, head), jge.reg(place, end, none));
  readBytes(ctx, { base: place, size: 1 }, none);
  out.emit(
    ldx.b(R1, R10, FRAME.buffer),
    jeq.imm(R1, 0, head),
    jne.imm(kind, MSS.kind, next),
    jeq.imm(R1, MSS.length, found),
    at(next),
    sub.imm(R1, 1),
    add.reg(place, R1),
    ja(head),
    // The place is that of the length, and two bytes must follow it before the end.
    at(found),
    mov.reg(R1, end),
    sub.reg(R1, place),
    jlt.imm(R1, 3, none),
  );
  readBytes(ctx, { base: place, offset: 1, size: 2 }, none);
  endLoop(ctx);
  out.emit(ldx.h(R0, R10, FRAME.buffer), endian.toBe(16, R0), exit(), at(none));
  endLoop(ctx);
  answers(ctx, [[no, NONE]]);
}

type Labels = [Label, Label, Label, Label];
