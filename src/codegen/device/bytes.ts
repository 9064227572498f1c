/** Bytes from anywhere in the packet of a program on a device: one function for each width. */

import { add, at, call, endian, exit, jne, jslt, ldx, mov, st, sub } from '../../bpf/assembly.ts';
import type { CodeItem } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R10 } from '../../bpf/instruction.ts';
import type { DeviceKind } from '../../device/hook.ts';
import { callFunction, type HookContext } from '../netfilter/context.ts';
import { COUNTERS, CTX } from '../netfilter/layout.ts';
import { LOAD_BYTES, NOTES } from './notes.ts';

/** r0 = the bytes at offset r2 (not negative) of the packet, as a number of `bits` bits, 0 when not all of them are there; uses r1..r5. */
export function readNumber(ctx: HookContext, kind: DeviceKind, bits: 8 | 16 | 32): readonly CodeItem[] {
  return [
    mov.reg(R1, CTX),
    mov.reg(R3, COUNTERS),
    callFunction(ctx, `read_number_${bits}`, (within) => emitReadNumber(within, kind, bits)),
  ];
}

const BYTES = -8;

/** Function read_number_N(r1 context, r2 offset, r3 notes) -> r0. */
function emitReadNumber(ctx: HookContext, kind: DeviceKind, bits: 8 | 16 | 32): void {
  const { out } = ctx;
  const none = out.label('none');
  out.emit(
    ldx.w(R4, R3, NOTES.length),
    sub.reg(R4, R2),
    jslt.imm(R4, bits / 8, none),
    ldx.w(R4, R3, NOTES.place),
    add.reg(R2, R4),
    st.dw(R10, BYTES, 0),
    mov.reg(R3, R10),
    add.imm(R3, BYTES),
    mov.imm(R4, bits / 8),
    call.helper(LOAD_BYTES[kind]),
    jne.imm(R0, 0, none),
    bits === 8 ? ldx.b(R0, R10, BYTES) : bits === 16 ? ldx.h(R0, R10, BYTES) : ldx.w(R0, R10, BYTES),
    ...(bits === 8 ? [] : [endian.toBe(bits, R0)]),
    exit(),
    at(none),
    mov.imm(R0, 0),
    exit(),
  );
}
