/**
 * What lies where while a hook program runs.
 *
 *     r6  context (struct bpf_nf_ctx)
 *     r7  IPv4: source address << 32 | destination address; IPv6: pointer to the IPv6 header
 *     r8  flow word: transport fields packed into 64 bits (see flow-word.ts)
 *     r9  this CPU's counters
 *     r0..r5 scratch, dead between conditions
 *
 * Why registers: on 6.18 the verifier's stack analysis makes stack reads in rule code quadratic (10,000 one-field rules:
 * 4.6 s from the stack, 0.1 s from registers), and a fault-tolerant load costs about 1 ns each time. A field is always
 * taken out of r7 or r8 with an operation that gives a value unknown to the verifier, so that the states behind a rule
 * are equal whatever its tests said.
 */

import { R6, R7, R8, R9 } from '../../bpf/instruction.ts';

export const CTX = R6;
export const ADDRESSES = R7;
export const FLOW = R8;
export const COUNTERS = R9;

/**
 * Offsets from the frame pointer. Cells are 32 bits wide and lie in the upper half of an aligned 8-byte slot: there the
 * verifier does not remember what was stored, so a value read back is unknown to it.
 */
export const STACK = {
  /** struct bpf_iter_num of the chain loop and of the IPv6 header walk. */
  iterator: -8,
  /** Cell: number of the place to go on at (chain loop); before that, scratch of the prologue. */
  resume: -12,
  /** Cell: offset of the transport header. */
  transportOffset: -20,
  /** The second it is, 32 bits (fields/clock.ts); a store to transportOffset follows its own, so that nothing of it is remembered. */
  clock: -24,
  /** struct bpf_dynptr, 16 bytes. */
  dynptr: -40,
  /** First bytes of the transport header, 24 bytes. */
  buffer: -64,
  /** Key (u64) and value (u32) for the map of pending REJECTs. */
  key: -72,
  value: -80,
  /** The upper half of `value`, as a cell. */
  valueCell: -76,
  /** r7, r8 and r9 while a packet is logged. */
  saved: [-88, -96, -104],
  /** Cell: place of the rule's record in the log map. */
  logRecord: -108,
  /** Number of the resume point behind a LOG rule: exact, and as a cell in the same slot. */
  logReturn: { exact: -120, cell: -116 },
  /** Cells: marks of the packet and of its connection as rules see them, where effects change them (effects.ts). */
  mark: -124,
  entryMark: -132,
  /** Cell: bytes by which effects have made the packet longer. */
  longer: -140,
  /** Return slots follow, 8 bytes each, downwards. */
  slots: -152,
} as const;

/**
 * What nobody needs from one rule to the next: 8 bytes each. A rule that has used some writes zeros there before it goes on: in a
 * loop the verifier may not know yet what is needed later, and would take every difference for a different state.
 */
export const SCRATCH = [
  ...[STACK.dynptr, STACK.dynptr + 8, STACK.buffer, STACK.buffer + 8, STACK.buffer + 16, STACK.key, STACK.value],
  ...STACK.saved,
  STACK.logRecord - 4,
  STACK.logReturn.exact,
] as const;

/** How many return slots fit beside the frame of the function that a hook program may call (512 bytes in all). */
export const MAX_SLOTS = 37;

/** Place of a return slot: its aligned form remembers constants, its cell form does not. */
export function slotOffset(slot: number): { readonly exact: number; readonly cell: number } {
  const exact = STACK.slots - 8 * slot;
  return { exact, cell: exact + 4 };
}

/** Bytes of the transport header that the flow word is made of; packets with fewer are "odd". */
export const TRANSPORT_BYTES = 20;

/** enum bpf_func_id */
export const HELPER = {
  mapUpdate: 2,
  mapDelete: 3,
  mapLookup: 1,
  random: 7,
  cpu: 8,
  tailCall: 12,
  jiffies: 118,
  ktime: 5,
  spinLock: 93,
  spinUnlock: 94,
  forEachElement: 164,
  probeReadKernel: 113,
  ringbufReserve: 131,
  ringbufSubmit: 132,
  dynptrRead: 201,
  currentTask: 35,
} as const;

/** Verdicts of a netfilter program. */
export const NF_DROP = 0;
export const NF_ACCEPT = 1;
