/**
 * The programs of the REJECT bridge: socket filters that nf_tables runs as xt_bpf matches, in front of the kernel's own
 * `reject` statements. A result other than 0 is a match.
 */

import { at, call, exit, jeq, jne, ldx, mov } from '../../bpf/assembly.ts';
import { buildProgram } from '../../bpf/builder.ts';
import type { CodeItem } from '../../bpf/code.ts';
import { R0, R1, R6, R7 } from '../../bpf/instruction.ts';
import type { ProgramSpec } from '../../bpf/program.ts';
import { deletePending, jumpIfNothingPending, lookUpPending } from './pending.ts';

/** r6 = address of the packet's sk_buff; on to `out` with r7 = 0 if nothing is pending at all. */
const BEGIN: readonly CodeItem[] = [
  mov.imm(R7, 0),
  call.kfunc('bpf_cast_to_kern_ctx'),
  mov.reg(R6, R0),
  ...jumpIfNothingPending('out'),
];
const END: readonly CodeItem[] = [at('out'), mov.reg(R0, R7), exit()];

/** Matches a packet that waits for any answer. */
export function bridgeAnyProgram(): ProgramSpec {
  return buildProgram('bf_bridge', 'socket_filter', [
    ...BEGIN,
    ...lookUpPending(R6),
    jeq.imm(R0, 0, 'out'),
    mov.imm(R7, 1),
    ...END,
  ]);
}

/** Matches a packet that waits for the answer of this class (its position in REJECT_WITH of the family), and takes it out. */
export function bridgeClassProgram(rejectClass: number): ProgramSpec {
  return buildProgram(`bf_bridge_${rejectClass}`, 'socket_filter', [
    ...BEGIN,
    ...lookUpPending(R6),
    jeq.imm(R0, 0, 'out'),
    ldx.w(R1, R0, 0),
    jne.imm(R1, rejectClass + 1, 'out'),
    ...deletePending(R6, 'out'),
    mov.imm(R7, 1),
    ...END,
  ]);
}
