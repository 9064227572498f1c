/**
 * What an early program notes down about its packet, in memory of its CPU: r9 points there. A packet that goes up the stack must
 * have counted nothing, so counters wait here until it is certain that the packet is dropped. The tables are programs of their own
 * (stages.ts): what each needs of the packet is here, too.
 *
 *     u32 counters noted | u32 length of the packet from the IP header on | u64 address of the IP header
 *     u64 r7 (IPv4) | u64 r8 | u64 output device | u32 kind of packet (EARLY_PACKETS) | u32 byte offsets of counters
 */

import { add, jge, ldx, lsh, mov, stx } from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R1, R2, R3, R9 } from '../../bpf/instruction.ts';
import type { MapSpec } from '../../bpf/program.ts';

/** Byte offsets. */
export const NOTES = {
  count: 0,
  length: 4,
  header: 8,
  addresses: 16,
  flow: 24,
  outDevice: 32,
  kind: 40,
  counters: 44,
  bytes: 128,
} as const;
/** A packet that counts on more rules goes up the stack. */
export const MOST_NOTES = (NOTES.bytes - NOTES.counters) / 4;

/** ARRAY, 1 element: the notes of every CPU. */
export const NOTES_MAP = 'bf_early';

export function notesMap(possibleCpus: number): MapSpec {
  return { name: NOTES_MAP, type: 'array', keySize: 4, valueSize: possibleCpus * NOTES.bytes, maxEntries: 1 };
}

/** Notes the counter whose byte offset is in r1; to `full` if there is no room. Uses r2, r3. */
export function noteCounter(full: Label): readonly CodeItem[] {
  return [
    ldx.w(R2, R9, NOTES.count),
    jge.imm(R2, MOST_NOTES, full),
    mov.reg(R3, R2),
    lsh.imm(R3, 2),
    add.reg(R3, R9),
    stx.w(R3, NOTES.counters, R1),
    add.imm(R2, 1),
    stx.w(R9, NOTES.count, R2),
  ];
}
