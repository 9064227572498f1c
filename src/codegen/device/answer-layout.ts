/** What the parts of an answer share (answer.ts): where it is put together, its IP header and its sums. */

import { add, and, call, endian, ldx, mov, or, rsh, st, stx, sub, xor } from '../../bpf/assembly.ts';
import type { CodeItem } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R7 } from '../../bpf/instruction.ts';
import type { MapSpec } from '../../bpf/program.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { HookContext } from '../netfilter/context.ts';
import { COUNTERS, HELPER, STACK } from '../netfilter/layout.ts';
import { NOTES } from './notes.ts';

/** Memory for one answer on each CPU. */
export const ANSWER_BYTES = 2048;
export function answerMap(possibleCpus: number): MapSpec {
  return { name: 'bf_answer', type: 'array', keySize: 4, valueSize: ANSWER_BYTES * possibleCpus, maxEntries: 1 };
}

export const PLACE = { frame: 0, packet: 32, tcp: 1600 } as const;
/** Ethernet header and two tags. */
export const MOST_FRAME_HEADER = 22;
export const TCP_BYTES = 20;
export const ICMP_BYTES = 8;
export const IP_BYTES = { ipv4: 20, ipv6: 40 } as const satisfies Record<Family, number>;
const HOPS = 64;
export const PROTOCOL = { icmp: 1, tcp: 6, icmp6: 58 } as const;
export const CSUM_DIFF = 28;

/** Where the prologue keeps protocol, fragment offset and "broken" of the packet for the answer (SUMMARY of netfilter/prologue.ts). */
export const SUMMARY_CELL = STACK.longer;

/** r0 = complement of the folded sum in r0. Uses r1. */
export function folded(): readonly CodeItem[] {
  const once = [mov.reg32(R1, R0), rsh.imm(R1, 16), and.imm(R0, 0xffff), add.reg(R0, R1)];
  return [...once, ...once, xor.imm(R0, 0xffff), and.imm(R0, 0xffff)];
}

/** r0 = sum of `bytes` at `from` of the answer. `seed`: added; r5 when it is undefined. */
export function sumOf(from: number, bytes: number, seed: number | undefined): readonly CodeItem[] {
  return [
    ...(seed === undefined ? [] : [mov.imm(R5, seed)]),
    mov.imm(R1, 0),
    mov.imm(R2, 0),
    mov.reg(R3, R7),
    add.imm(R3, from),
    mov.imm(R4, bytes),
    call.helper(CSUM_DIFF),
  ];
}

/** The IP header of the answer, with everything but lengths and checksum. `tos`: in r1 for errors of IPv4. */
export function ipHeader(ctx: HookContext, what: 'reset' | 'error'): void {
  const { out, family } = ctx;
  const [header, packet] = [NOTES.header, PLACE.packet];
  if (family === 'ipv4') {
    out.emit(st.b(R7, packet, 0x45));
    if (what === 'error') {
      out.emit(ldx.b(R1, COUNTERS, header + 1), and.imm(R1, 0x1e), or.imm(R1, 0xc0), stx.b(R7, packet + 1, R1));
      out.emit(call.helper(HELPER.random), stx.h(R7, packet + 4, R0), st.h(R7, packet + 6, 0));
    } else out.emit(st.b(R7, packet + 1, 0), st.h(R7, packet + 4, 0), st.h(R7, packet + 6, 0x0040));
    out.emit(
      st.b(R7, packet + 8, HOPS),
      st.b(R7, packet + 9, what === 'reset' ? PROTOCOL.tcp : PROTOCOL.icmp),
      st.h(R7, packet + 10, 0),
      ldx.w(R1, COUNTERS, header + 16),
      stx.w(R7, packet + 12, R1),
      ldx.w(R1, COUNTERS, header + 12),
      stx.w(R7, packet + 16, R1),
    );
    return;
  }
  out.emit(
    st.w(R7, packet, 0x60),
    st.b(R7, packet + 6, what === 'reset' ? PROTOCOL.tcp : PROTOCOL.icmp6),
    st.b(R7, packet + 7, HOPS),
  );
  for (let byte = 0; byte < 16; byte += 8) {
    out.emit(ldx.dw(R1, COUNTERS, header + 24 + byte), stx.dw(R7, packet + 8 + byte, R1));
    out.emit(ldx.dw(R1, COUNTERS, header + 8 + byte), stx.dw(R7, packet + 24 + byte, R1));
  }
}

/** Length fields from the total length in r4, which is noted; and the checksum of an IPv4 header. Uses r0..r5. */
export function finishIp(ctx: HookContext): void {
  const { out, family } = ctx;
  const packet = PLACE.packet;
  out.emit(stx.w(COUNTERS, NOTES.answer, R4));
  if (family === 'ipv4') {
    out.emit(endian.toBe(16, R4), stx.h(R7, packet + 2, R4));
    out.emit(...sumOf(packet, 20, 0), ...folded(), stx.h(R7, packet + 10, R0));
  } else out.emit(sub.imm(R4, 40), endian.toBe(16, R4), stx.h(R7, packet + 4, R4));
}
