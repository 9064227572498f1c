/**
 * Instructions as they are written: values that still name their jump targets, maps and kernel functions.
 * `assembly.ts` makes them, `builder.ts` turns a list of them into a program.
 */

import type { Instruction } from './instruction.ts';

/** Target of a jump. Unique within one program. */
export type Label = string;

/** What is known only at load time; the slot number is added when the program is built. */
export type PendingRelocation =
  | { readonly kind: 'map'; readonly map: string }
  | { readonly kind: 'mapValue'; readonly map: string; readonly offset: number }
  | { readonly kind: 'kfunc'; readonly name: string }
  | { readonly kind: 'struct'; readonly name: string };

/** Where the distance to a label goes: the offset of a jump, or imm (gotol, calls of local functions, addresses of them). */
export type TargetField = 'offset' | 'imm';

export interface CodeTarget {
  readonly label: Label;
  readonly field: TargetField;
}

export interface CodeInstruction {
  readonly kind: 'insn';
  readonly insn: Instruction;
  /** Second slot of `lddw`. */
  readonly second?: Instruction | undefined;
  readonly target?: CodeTarget | undefined;
  readonly relocation?: PendingRelocation | undefined;
}

export interface CodeLabel {
  readonly kind: 'label';
  readonly label: Label;
}

export type CodeItem = CodeInstruction | CodeLabel;
export type Code = readonly CodeItem[];
