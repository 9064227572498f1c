/** Function of a ClassicScan: (r1 skb) -> r0 answer. r6 is the packet's length, r7 a, r8 x; memory lies below the frame of reading.ts. */

import {
  add,
  and,
  at,
  call,
  div,
  endian,
  ja,
  jeq,
  jge,
  jgt,
  jne,
  jset,
  ldx,
  lsh,
  mod,
  mov,
  mul,
  neg,
  or,
  rsh,
  stx,
  sub,
  xor,
} from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R6, R7, R8, R10 } from '../../../bpf/instruction.ts';
import { type ClassicScan, type ClassicStep, LOAD_MODE, LOAD_SIZES } from '../../../policy/scan-classic.ts';
import { type HookContext, loadMember } from '../context.ts';
import { HELPER } from '../layout.ts';
import { ANSWER, answers, FRAME, openPacket } from './reading.ts';

const [LENGTH, A, X] = [R6, R7, R8];
/** First word of memory; the others lie below. */
const MEMORY = FRAME.buffer - 4;

/** Bytes of the function's frame. */
export function classicFrame({ program }: ClassicScan): number {
  const words = program.flatMap(([code, , , k]) => (isMemory(code) ? [k + 1] : []));
  return -MEMORY + 4 * Math.max(0, ...words);
}

function isMemory(code: number): boolean {
  return code === 0x02 || code === 0x03 || code === 0x60 || code === 0x61;
}

export function emitClassicScan(ctx: HookContext, { program }: ClassicScan): void {
  const { out } = ctx;
  const [no, yes] = [out.label('no'), out.label('yes')];
  const places = program.map(() => out.label('step'));
  out.emit(loadMember(ctx, LENGTH, R1, 'sk_buff.len'));
  openPacket(ctx);
  out.emit(mov.imm(A, 0), mov.imm(X, 0));
  for (const [index, step] of program.entries()) {
    const [code, jt, jf, k] = step;
    out.emit(at(places[index]!));
    const target = (by: number): Label => places[index + 1 + by] ?? no;
    switch (code & 0x07) {
      case 0x00:
        emitLoad(ctx, step, A, no);
        break;
      case 0x01:
        emitLoad(ctx, step, X, no);
        break;
      case 0x02:
        out.emit(stx.w(R10, MEMORY - 4 * k, A));
        break;
      case 0x03:
        out.emit(stx.w(R10, MEMORY - 4 * k, X));
        break;
      case 0x04:
        emitComputation(ctx, step, no);
        break;
      case 0x05:
        if (code === 0x05) out.emit(ja(target(k)));
        else out.emit(...comparison(step, target(jt)), ja(target(jf)));
        break;
      case 0x06:
        if ((code & 0x18) === 0x10) out.emit(jne.imm32(A, 0, yes), ja(no));
        else out.emit(ja(k === 0 ? no : yes));
        break;
      default:
        out.emit(code === 0x07 ? mov.reg32(X, A) : mov.reg32(A, X));
    }
  }
  answers(ctx, [
    [no, ANSWER.no],
    [yes, ANSWER.yes],
  ]);
}

/** Into `to`; jumps to `no` when the bytes are not all there. */
function emitLoad(ctx: HookContext, [code, , , k]: ClassicStep, to: number, no: Label): void {
  const { out } = ctx;
  const size = LOAD_SIZES[code & 0x18] ?? 4;
  switch (code & 0xe0) {
    case LOAD_MODE.imm:
      out.emit(mov.imm32(to, k));
      return;
    case LOAD_MODE.mem:
      out.emit(ldx.w(to, R10, MEMORY - 4 * k));
      return;
    case LOAD_MODE.len:
      out.emit(mov.reg32(to, LENGTH));
      return;
    case LOAD_MODE.msh:
      out.emit(mov.imm32(R4, k));
      read(ctx, 1, no);
      out.emit(ldx.b(to, R10, FRAME.buffer), and.imm32(to, 0x0f), lsh.imm32(to, 2));
      return;
    case LOAD_MODE.ind:
      // What is negative becomes a place that no packet has.
      out.emit(mov.reg32(R4, X), add.imm32(R4, k));
      break;
    default:
      out.emit(mov.imm32(R4, k));
  }
  read(ctx, size, no);
  if (size === 1) out.emit(ldx.b(to, R10, FRAME.buffer));
  else {
    const load = size === 2 ? ldx.h : ldx.w;
    out.emit(load(to, R10, FRAME.buffer), endian.toBe(size === 2 ? 16 : 32, to));
  }
}

/** Reads `size` bytes at the place in r4. */
function read(ctx: HookContext, size: number, missing: Label): void {
  ctx.out.emit(
    mov.reg(R1, R10),
    add.imm(R1, FRAME.buffer),
    mov.imm(R2, size),
    mov.reg(R3, R10),
    add.imm(R3, FRAME.dynptr),
    mov.imm(R5, 0),
    call.helper(HELPER.dynptrRead),
    jne.imm(R0, 0, missing),
  );
}

const OPERATIONS = {
  0: add,
  16: sub,
  32: mul,
  48: div,
  64: or,
  80: and,
  96: lsh,
  112: rsh,
  144: mod,
  160: xor,
} as const;

function emitComputation(ctx: HookContext, [code, , , k]: ClassicStep, no: Label): void {
  const { out } = ctx;
  const kind = code & 0xf0;
  if (kind === 0x80) {
    out.emit(neg.reg32(A));
    return;
  }
  const operation = OPERATIONS[kind as keyof typeof OPERATIONS];
  if ((code & 0x08) === 0) {
    out.emit(operation.imm32(A, k));
    return;
  }
  if (operation === div || operation === mod) out.emit(jeq.imm32(X, 0, no));
  out.emit(operation.reg32(A, X));
}

const COMPARISONS = { 16: jeq, 32: jgt, 48: jge, 64: jset } as const;

function comparison([code, , , k]: ClassicStep, target: Label) {
  const jump = COMPARISONS[(code & 0xf0) as keyof typeof COMPARISONS];
  return [(code & 0x08) === 0 ? jump.imm32(A, k, target) : jump.reg32(A, X, target)];
}
