/**
 * The stack of a look-up, below the return slots. Cells are 32 bits in the upper half of an aligned 8-byte slot, where the
 * verifier does not remember what was stored (see layout.ts).
 */

import type { LanePlan } from '../../../classify/lanes.ts';
import { MAX_KEY } from '../../../classify/run-table.ts';
import { slotOffset } from '../layout.ts';

export interface LookupFrame {
  /** r6..r9 of the rules. */
  readonly saved: readonly [number, number, number, number];
  /** Pointers to the active tables of descriptors and of first orders. */
  readonly descriptors: number;
  readonly firstOrders: number;
  /** Cell: byte offset of the leaf's slot. */
  readonly leaf: number;
  /** Cells: the smallest order found, and the its row. */
  readonly order: number;
  readonly row: number;
  /** struct bpf_iter_num of a long leaf. */
  readonly leafSlots: number;
  /** Cells: guards that are true, and the order to look from. */
  readonly guards: number;
  readonly from: number;
  /** u32 for each dimension, upwards. */
  readonly key: number;
  /** The lane words that have no register: K and K | H. */
  readonly words: number;
  /** The lowest offset in use. */
  readonly end: number;
}

/** Eight-byte slots of the frame beside key and words. */
const FIXED = 12;
/** Lane words that have registers. */
export const WORDS_IN_REGISTERS = 2;

/** The frame of look-ups with at most `words` lane words, in a program with `slots` return slots. */
export function lookupFrame(slots: number, words: number): LookupFrame {
  const top = slotOffset(slots).exact;
  const at = (index: number): number => top - 8 * index;
  const cell = (index: number): number => at(index) + 4;
  const key = at(FIXED - 1) - 4 * MAX_KEY;
  const end = key - (words > WORDS_IN_REGISTERS ? 16 * words : 0);
  return {
    saved: [at(0), at(1), at(2), at(3)],
    descriptors: at(4),
    firstOrders: at(5),
    leaf: cell(6),
    order: cell(7),
    row: cell(8),
    leafSlots: at(9),
    guards: cell(10),
    from: cell(11),
    key,
    words: end,
    end,
  };
}

/** Stack that a frame takes, in return slots. */
export function frameSlots(words: number): number {
  const { end } = lookupFrame(0, words);
  return Math.ceil((slotOffset(0).exact + 8 - end) / 8);
}

/** Lane words of the widest plan. */
export function widest(plans: Iterable<LanePlan>): number {
  let words = 0;
  for (const plan of plans) words = Math.max(words, plan.words);
  return words;
}

/** Every 8-byte slot of the frame except the one that has to last from round to round. */
export function frameLeftovers(frame: LookupFrame): readonly number[] {
  const out: number[] = [];
  for (let offset = frame.saved[0]; offset >= frame.end; offset -= 8) if (offset !== frame.from - 4) out.push(offset);
  return out;
}
