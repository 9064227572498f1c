/**
 * Bytes from anywhere in the packet. A function for each width reads them: from the linear part with one fault-tolerant load,
 * from elsewhere through a dynptr.
 */

import { add, and, at, call, endian, exit, jslt, ldx, mov, st, sub } from '../../bpf/assembly.ts';
import type { CodeItem } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R6, R7, R10 } from '../../bpf/instruction.ts';
import type { PayloadTest } from '../../policy/ir.ts';
import { readNumber } from '../device/bytes.ts';
import { notedHeader } from '../device/notes.ts';
import type { Target } from './branch.ts';
import { BYTES, castTo } from './cast.ts';
import { type BodyContext, callOnContext, type HookContext, loadMember, loadSkb } from './context.ts';
import { CTX, HELPER, STACK } from './layout.ts';
import { jumpIfInRanges } from './ranges.ts';

type Bits = PayloadTest['bits'];

/** Jumps to `target` if (the bytes, masked, are in the ranges) equals `sense`. */
export function jumpIfPayload(ctx: BodyContext, test: PayloadTest, sense: boolean, target: Target): void {
  const { bits, ranges } = test;
  const max = (1n << BigInt(bits)) - 1n;
  const mask = test.mask ?? max;
  loadPayload(ctx, test);
  if (mask !== max) ctx.out.emit(and.imm32(R1, Number(mask)));
  jumpIfInRanges(ctx, { bits: 32, max: mask, ranges }, sense, target);
}

/** The fixed part of the IP header, which is linear in every packet. */
const FIXED_HEADER = { ipv4: 20, ipv6: 40 } as const;

/** r1 = the bytes as a number; uses r0..r5. */
function loadPayload(ctx: BodyContext, { base, offset, bits }: PayloadTest): void {
  const { out } = ctx;
  if (base === 'network' && offset + bits / 8 <= FIXED_HEADER[ctx.family]) {
    if (ctx.device !== undefined) out.emit(...notedHeader(), add.imm(R0, offset));
    else {
      out.emit(loadSkb(ctx, R1), loadMember(ctx, R1, R1, 'sk_buff.data'), add.imm(R1, offset));
      castTo(ctx, BYTES);
    }
    loadNumber(ctx, R1, bits);
    return;
  }
  if (base === 'transport') {
    ctx.used.add('transportOffset');
    out.emit(ldx.w(R2, R10, STACK.transportOffset));
    if (offset !== 0) out.emit(add.imm(R2, offset));
  } else out.emit(mov.imm(R2, offset));
  out.emit(...callReadBytes(ctx, bits), mov.reg32(R1, R0));
}

/** r0 = the bytes at offset r2 of the packet, as a number of `bits` bits, 0 when not all of them are there; uses r1..r5. */
export function callReadBytes(ctx: HookContext, bits: Bits): readonly CodeItem[] {
  if (ctx.device !== undefined) return readNumber(ctx, ctx.device.kind, bits);
  return [mov.reg(R1, CTX), callOnContext(ctx, `read_bytes_${bits}`, 1, (within) => emitReadBytes(within, bits))];
}

/** dst = the number at r0. */
function loadNumber({ out }: HookContext, dst: number, bits: Bits): void {
  if (bits === 8) out.emit(ldx.b(dst, R0, 0));
  else out.emit(bits === 16 ? ldx.h(dst, R0, 0) : ldx.w(dst, R0, 0), endian.toBe(bits, dst));
}

/** Frame of the function. */
const FRAME = { dynptr: -16, bytes: -24 } as const;

/** Function read_bytes_N(r1 context, r2 offset, not negative) -> r0. */
function emitReadBytes(ctx: HookContext, bits: Bits): void {
  const { out } = ctx;
  const elsewhere = out.label('elsewhere');
  out.emit(
    loadMember(ctx, R1, R1, 'bpf_nf_ctx.skb'),
    mov.reg(R6, R1),
    mov.reg(R7, R2),
    loadMember(ctx, R3, R1, 'sk_buff.len'),
    loadMember(ctx, R4, R1, 'sk_buff.data_len'),
    sub.reg(R3, R4),
    sub.reg(R3, R2),
    jslt.imm(R3, bits / 8, elsewhere),
    loadMember(ctx, R1, R6, 'sk_buff.data'),
    add.reg(R1, R7),
  );
  castTo(ctx, BYTES);
  loadNumber(ctx, R0, bits);
  out.emit(
    exit(),
    at(elsewhere),
    mov.reg(R1, R6),
    mov.imm(R2, 0),
    mov.reg(R3, R10),
    add.imm(R3, FRAME.dynptr),
    call.kfunc('bpf_dynptr_from_skb'),
    st.dw(R10, FRAME.bytes, 0),
    mov.reg(R1, R10),
    add.imm(R1, FRAME.bytes),
    mov.imm(R2, bits / 8),
    mov.reg(R3, R10),
    add.imm(R3, FRAME.dynptr),
    mov.reg(R4, R7),
    mov.imm(R5, 0),
    call.helper(HELPER.dynptrRead),
    mov.reg(R0, R10),
    add.imm(R0, FRAME.bytes),
  );
  loadNumber(ctx, R0, bits);
  out.emit(exit());
}
