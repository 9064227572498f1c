/** How many ICMP errors a peer gets: as inet_peer_xrlim_allow with icmp_ratelimit of one second, which is one a second and six at once. */

import { add, at, call, ja, jeq, jle, jlt, jne, lddw, ldx, mov, st, stx, sub } from '../../bpf/assembly.ts';
import type { Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R10 } from '../../bpf/instruction.ts';
import type { MapSpec } from '../../bpf/program.ts';
import type { HookContext } from '../netfilter/context.ts';
import { COUNTERS, HELPER, STACK } from '../netfilter/layout.ts';
import { NOTES } from './notes.ts';

/** Peers that are remembered; the one that has been silent longest makes room. Value: u64 tokens, u64 jiffies of the last change. */
export const PEERS_MAP = {
  name: 'bf_peers',
  type: 'lru_hash',
  keySize: 16,
  valueSize: 16,
  maxEntries: 4096,
} as const satisfies MapSpec;

/** XRLIM_BURST_FACTOR */
const BURST = 6;
/** Two slots of the stack each: rules are over. */
const KEY = STACK.buffer;
const VALUE = STACK.dynptr;

/** Goes to `drop` if the sender of the packet has had its share. Uses r0..r5. */
export function unlessLimited(ctx: HookContext, drop: Label): void {
  const { out, family, facts } = ctx;
  const [known, full, go] = [out.label('peer'), out.label('burst'), out.label('go')];
  if (family === 'ipv4') {
    out.emit(st.dw(R10, KEY, 0), ldx.w(R1, COUNTERS, NOTES.header + 12), stx.dw(R10, KEY + 8, R1));
  } else {
    for (const byte of [0, 8]) out.emit(ldx.dw(R1, COUNTERS, NOTES.header + 8 + byte), stx.dw(R10, KEY + byte, R1));
  }
  out.emit(
    lddw.map(R1, PEERS_MAP.name),
    mov.reg(R2, R10),
    add.imm(R2, KEY),
    call.helper(HELPER.mapLookup),
    jne.imm(R0, 0, known),
    // A stranger has its whole share, less this one.
    st.dw(R10, VALUE, (BURST - 1) * facts.hz),
    call.helper(HELPER.jiffies),
    stx.dw(R10, VALUE + 8, R0),
    lddw.map(R1, PEERS_MAP.name),
    mov.reg(R2, R10),
    add.imm(R2, KEY),
    mov.reg(R3, R10),
    add.imm(R3, VALUE),
    mov.imm(R4, 0),
    call.helper(HELPER.mapUpdate),
    jeq.imm(R0, 0, go),
    ja(drop),
    at(known),
    stx.dw(R10, KEY, R0),
    call.helper(HELPER.jiffies),
    ldx.dw(R3, R10, KEY),
    ldx.dw(R1, R3, 8),
    stx.dw(R3, 8, R0),
    sub.reg(R0, R1),
    ldx.dw(R2, R3, 0),
    add.reg(R2, R0),
    jle.imm(R2, BURST * facts.hz, full),
    mov.imm(R2, BURST * facts.hz),
    at(full),
    stx.dw(R3, 0, R2),
    jlt.imm(R2, facts.hz, drop),
    sub.imm(R2, facts.hz),
    stx.dw(R3, 0, R2),
    at(go),
  );
}
