/** ICMP and ICMPv6 errors as answers (answer.ts): nf_send_unreach, icmp_send, icmp6_send. */

import { add, and, at, call, endian, ja, jeq, jle, jlt, jne, ldx, mov, st, stx, sub } from '../../bpf/assembly.ts';
import type { Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R7, R8, R10 } from '../../bpf/instruction.ts';
import type { DeviceKind } from '../../device/hook.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { HookContext } from '../netfilter/context.ts';
import { COUNTERS, STACK } from '../netfilter/layout.ts';
import { rejectValue } from '../netfilter/pending.ts';
import {
  CSUM_DIFF,
  finishIp,
  folded,
  ICMP_BYTES,
  IP_BYTES,
  ipHeader,
  PLACE,
  PROTOCOL,
  SUMMARY_CELL,
  sumOf,
} from './answer-layout.ts';
import { unlessLimited } from './answer-limit.ts';
import { loadBytes, NOTES } from './notes.ts';

/** An answer is no longer than every link must carry. */
const MOST_QUOTED = { ipv4: 576 - 20 - ICMP_BYTES, ipv6: 1280 - 40 - ICMP_BYTES } as const;
/** bpf_csum_diff takes so many bytes at once on older kernels. */
const CHUNK = 512;

/** ICMP type and code of every answer but the reset. */
const CODES = {
  ipv4: [
    ['icmp-net-unreachable', 3, 0],
    ['icmp-host-unreachable', 3, 1],
    ['icmp-port-unreachable', 3, 3],
    ['icmp-proto-unreachable', 3, 2],
    ['icmp-net-prohibited', 3, 9],
    ['icmp-host-prohibited', 3, 10],
    ['icmp-admin-prohibited', 3, 13],
  ],
  ipv6: [
    ['icmp6-no-route', 1, 0],
    ['icmp6-adm-prohibited', 1, 1],
    ['icmp6-addr-unreachable', 1, 3],
    ['icmp6-port-unreachable', 1, 4],
    ['icmp6-policy-fail', 1, 5],
    ['icmp6-reject-route', 1, 6],
  ],
} as const satisfies Record<Family, readonly (readonly [string, number, number])[]>;

/** In front: r7 answer, rejectValue in r8. Behind: the answer is complete, or `drop`. */
export function emitError(ctx: HookContext, kind: DeviceKind, drop: Label): void {
  const { out, family } = ctx;
  const icmp = PLACE.packet + IP_BYTES[family];
  const quoted = icmp + ICMP_BYTES;
  const [least, done] = [out.label('quote'), out.label('code')];
  unlessErrorItself(ctx, kind, drop);
  unlessLimited(ctx, drop);
  CODES[family].forEach(([answer, type, code], index) => {
    const next = out.label('other');
    if (index < CODES[family].length - 1) out.emit(jne.imm(R8, rejectValue(family, answer), next));
    out.emit(st.b(R7, icmp, type), st.b(R7, icmp + 1, code), ja(done), at(next));
  });
  out.emit(at(done), st.h(R7, icmp + 2, 0), st.w(R7, icmp + 4, 0));
  out.emit(
    ldx.w(R4, COUNTERS, NOTES.length),
    jle.imm(R4, MOST_QUOTED[family], least),
    mov.imm(R4, MOST_QUOTED[family]),
    at(least),
    jlt.imm(R4, 1, drop),
    mov.reg(R8, R4),
    // Zeros behind, for the checksum.
    mov.reg(R1, R7),
    add.reg(R1, R4),
    st.b(R1, quoted, 0),
    st.b(R1, quoted + 1, 0),
    st.b(R1, quoted + 2, 0),
    ldx.w(R2, COUNTERS, NOTES.place),
    mov.reg(R3, R7),
    add.imm(R3, quoted),
    ...loadBytes(kind),
    jne.imm(R0, 0, drop),
  );
  ipHeader(ctx, 'error');
  // r8: bytes of ICMP. The pseudo header of ICMPv6 is added to them.
  out.emit(add.imm(R8, ICMP_BYTES));
  if (family === 'ipv6') {
    out.emit(mov.reg(R5, R8), add.imm(R5, PROTOCOL.icmp6), endian.toBe(16, R5));
    out.emit(...sumOf(PLACE.packet + 8, 32, undefined), mov.reg(R5, R0));
  } else out.emit(mov.imm(R5, 0));
  sumIcmp(ctx, icmp, ICMP_BYTES + MOST_QUOTED[family]);
  out.emit(...folded(), stx.h(R7, icmp + 2, R0), mov.reg(R4, R8), add.imm(R4, IP_BYTES[family]));
  finishIp(ctx);
}

/** r0 = sum of the r8 bytes from `from` on, and r5. */
function sumIcmp({ out }: HookContext, from: number, most: number): void {
  const done = out.label('summed');
  out.emit(mov.reg(R0, R5));
  for (let start = 0; start < most; start += CHUNK) {
    const part = out.label('part');
    out.emit(
      mov.reg(R5, R0),
      mov.reg(R4, R8),
      add.imm(R4, 3),
      and.imm(R4, 0xffc),
      jle.imm(R4, start, done),
      sub.imm(R4, start),
      jle.imm(R4, CHUNK, part),
      mov.imm(R4, CHUNK),
      at(part),
      mov.imm(R1, 0),
      mov.imm(R2, 0),
      mov.reg(R3, R7),
      add.imm(R3, from + start),
      call.helper(CSUM_DIFF),
    );
  }
  out.emit(at(done));
}

/** No error answers an error (icmp_send, is_ineligible). */
function unlessErrorItself(ctx: HookContext, kind: DeviceKind, drop: Label): void {
  const { out, family } = ctx;
  const fine = out.label('fine');
  out.emit(
    ldx.w(R1, R10, SUMMARY_CELL),
    and.imm(R1, 0xff),
    jne.imm(R1, family === 'ipv4' ? PROTOCOL.icmp : PROTOCOL.icmp6, fine),
    ldx.w(R2, R10, STACK.transportOffset),
    ldx.w(R1, COUNTERS, NOTES.length),
    jle.reg(R1, R2, drop),
    ldx.w(R1, COUNTERS, NOTES.place),
    add.reg(R2, R1),
    mov.reg(R3, R7),
    add.imm(R3, PLACE.tcp),
    mov.imm(R4, 1),
    ...loadBytes(kind),
    jne.imm(R0, 0, drop),
    ldx.b(R1, R7, PLACE.tcp),
  );
  if (family === 'ipv6') out.emit(jlt.imm(R1, 128, drop), jeq.imm(R1, 137, drop));
  else for (const type of [3, 4, 5, 11, 12]) out.emit(jeq.imm(R1, type, drop));
  out.emit(at(fine));
}
