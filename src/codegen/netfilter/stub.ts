/** The small programs around a generation: what is attached to the hooks once and for all. */

import { add, and, at, call, exit, jeq, lddw, ldx, mov } from '../../bpf/assembly.ts';
import { buildProgram } from '../../bpf/builder.ts';
import { R0, R1, R2, R3, R6, R7 } from '../../bpf/instruction.ts';
import type { ProgramSpec } from '../../bpf/program.ts';
import { deleteList, jumpIfNoLists } from './effects.ts';
import { HELPER, NF_ACCEPT, NF_DROP } from './layout.ts';
import { deletePending, jumpIfNothingPending } from './pending.ts';

/** Map names that only these programs use: the generation word (u64) and the programs of both generations. */
export const STUB_MAPS = { generation: 'bf_generation', programs: 'bf_progs' } as const;

/** Offset of `skb` in struct bpf_nf_ctx; the layout of this structure is the programs' ABI. */
const CTX_SKB = 8;

/**
 * The program on a hook: jumps into the generation in force.
 *
 *     g == 0           accept: nothing has been set up yet
 *     otherwise        tail call to element slot * 2 + (g & 1)
 *     call failed      drop: rules are in force but their program is missing
 */
export function stubProgram(slot: number): ProgramSpec {
  return buildProgram('bf_stub', 'netfilter', [
    lddw.mapValue(R2, STUB_MAPS.generation),
    ldx.dw(R3, R2, 0),
    mov.imm(R0, NF_ACCEPT),
    jeq.imm(R3, 0, 'out'),
    and.imm(R3, 1),
    add.imm(R3, slot * 2),
    lddw.map(R2, STUB_MAPS.programs),
    call.helper(HELPER.tailCall),
    mov.imm(R0, NF_DROP),
    at('out'),
    exit(),
  ]);
}

/** What a hook runs that the generation in force has no rules for. */
export function acceptProgram(): ProgramSpec {
  return buildProgram('bf_accept', 'netfilter', [mov.imm(R0, NF_ACCEPT), exit()]);
}

/** Behind the bridges: a packet that still waits for an answer, or for effects, has passed no bridge and is dropped. */
export function guardProgram(): ProgramSpec {
  return buildProgram('bf_guard', 'netfilter', [
    mov.imm(R7, NF_ACCEPT),
    ldx.dw(R6, R1, CTX_SKB),
    ...jumpIfNothingPending('effects'),
    ...deletePending(R6, 'effects'),
    mov.imm(R7, NF_DROP),
    at('effects'),
    ...jumpIfNoLists('out'),
    ...deleteList(R6, 'out'),
    mov.imm(R7, NF_DROP),
    at('out'),
    mov.reg(R0, R7),
    exit(),
  ]);
}
