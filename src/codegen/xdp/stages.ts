/**
 * The programs that an early program can go on with: one for each table, and the gates between them. They are elements of a PROG_ARRAY that
 * belongs to their generation, so that a packet always stays within one generation's rules. An element that is not filled lets it go up.
 */

import { call, lddw, mov } from '../../bpf/assembly.ts';
import type { CodeItem } from '../../bpf/code.ts';
import { R1, R2, R3 } from '../../bpf/instruction.ts';
import type { MapSpec } from '../../bpf/program.ts';
import { CTX, HELPER } from '../netfilter/layout.ts';

/** The place in the PROG_ARRAY is the place here. */
export const STAGE_SLOTS = [
  'tracking',
  'mangle-PREROUTING',
  'route',
  'mangle-INPUT',
  'filter-INPUT',
  'security-INPUT',
  'mangle-FORWARD',
  'filter-FORWARD',
  'security-FORWARD',
] as const;
export type StageSlot = (typeof STAGE_SLOTS)[number];

/** PROG_ARRAY: see STAGE_SLOTS. */
export const STAGES_MAP = {
  name: 'bf_early_next',
  type: 'prog_array',
  keySize: 4,
  valueSize: 4,
  maxEntries: STAGE_SLOTS.length,
} as const satisfies MapSpec;

/** Goes there, or falls through. */
export function jumpToStage(slot: StageSlot): readonly CodeItem[] {
  return [
    mov.reg(R1, CTX),
    lddw.map(R2, STAGES_MAP.name),
    mov.imm(R3, STAGE_SLOTS.indexOf(slot)),
    call.helper(HELPER.tailCall),
  ];
}
