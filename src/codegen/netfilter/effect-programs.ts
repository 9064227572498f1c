/**
 * The programs of the rules that carry effects out: socket filters that the kernel's own table runs as `-m bpf` matches, each in
 * front of a jump or of a target. A result other than 0 is a match.
 *
 *     any     the packet has a list of this generation
 *     more    the same, and another entry of it begins now
 *     id      the entry that has begun is this one; if it is the last, the list is over
 *     range   the entry that has begun is one of these
 */

import { add, at, call, exit, jeq, jge, jgt, jlt, jne, ldx, lsh, mov, rsh, stx } from '../../bpf/assembly.ts';
import { buildProgram } from '../../bpf/builder.ts';
import type { CodeItem } from '../../bpf/code.ts';
import { R0, R1, R2, R6, R7, R8 } from '../../bpf/instruction.ts';
import type { ProgramSpec } from '../../bpf/program.ts';
import { MAX_LIST } from '../../policy/effect.ts';
import { BASE_BIT, deleteList, jumpIfNoLists, LIST, lookUpList } from './effects.ts';

/** One of these programs. `base` is that of the generation; `id` and the bounds of a range contain it. */
export type EffectProgram =
  | { readonly kind: 'any' | 'more'; readonly base: number }
  | { readonly kind: 'id'; readonly id: number }
  /** `from` <= id < `to` */
  | { readonly kind: 'range'; readonly from: number; readonly to: number };

/** A name for the program's pin: equal programs have equal names. */
export function effectProgramName(program: EffectProgram): string {
  switch (program.kind) {
    case 'any':
    case 'more':
      return `${program.kind}-${program.base}`;
    case 'id':
      return `id-${program.id}`;
    case 'range':
      return `range-${program.from}-${program.to}`;
  }
}

/** r6 = sk_buff, r8 = its list; on to `out` with r7 = 0 if it has none. */
const BEGIN: readonly CodeItem[] = [
  mov.imm(R7, 0),
  call.kfunc('bpf_cast_to_kern_ctx'),
  mov.reg(R6, R0),
  ...jumpIfNoLists('out'),
  ...lookUpList(R6),
  jeq.imm(R0, 0, 'out'),
  mov.reg(R8, R0),
];
const END: readonly CodeItem[] = [at('out'), mov.reg(R0, R7), exit()];

/** Goes on if the list is of the generation with this base. */
function checkBase(base: number): readonly CodeItem[] {
  return [ldx.h(R1, R8, LIST.ids), rsh.imm(R1, BASE_BIT), jne.imm(R1, base >> BASE_BIT, 'out')];
}

/** r1 = id of the entry that has begun. */
const CURRENT: readonly CodeItem[] = [
  ldx.h(R1, R8, LIST.next),
  jeq.imm(R1, 0, 'out'),
  jgt.imm(R1, MAX_LIST, 'out'),
  lsh.imm(R1, 1),
  mov.reg(R2, R8),
  add.reg(R2, R1),
  ldx.h(R1, R2, LIST.ids - 2),
];

function bodyOf(program: EffectProgram): readonly CodeItem[] {
  switch (program.kind) {
    case 'any':
      return [...checkBase(program.base), mov.imm(R7, 1)];
    case 'more':
      return [
        ...checkBase(program.base),
        ldx.h(R1, R8, LIST.next),
        ldx.h(R2, R8, LIST.count),
        jge.reg(R1, R2, 'out'),
        add.imm(R1, 1),
        stx.h(R8, LIST.next, R1),
        mov.imm(R7, 1),
      ];
    case 'id':
      return [
        ...CURRENT,
        jne.imm(R1, program.id, 'out'),
        mov.imm(R7, 1),
        ldx.h(R1, R8, LIST.next),
        ldx.h(R2, R8, LIST.count),
        jlt.reg(R1, R2, 'out'),
        ...deleteList(R6, 'out'),
      ];
    case 'range':
      return [...CURRENT, jlt.imm(R1, program.from, 'out'), jge.imm(R1, program.to, 'out'), mov.imm(R7, 1)];
  }
}

/** The program, for a socket filter. */
export function effectProgram(program: EffectProgram): ProgramSpec {
  return buildProgram(`bf_${program.kind}`, 'socket_filter', [...BEGIN, ...bodyOf(program), ...END]);
}
