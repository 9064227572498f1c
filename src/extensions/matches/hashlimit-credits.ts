/** The kernel's account of a hashlimit: credits for each jiffy, in 64 bit. */

import { HASHLIMIT_SCALE } from '../values/hash-rate.ts';

const WORD = 64;
const MAX = (1n << BigInt(WORD)) - 1n;
/** A common HZ; 250 gives the same sums, because both quotients are powers of two apart. */
const HZ = 1000n;
const DAY = 86_400n;
/** CREDITS_PER_JIFFY: the largest power of two with which a day can be counted. */
const CREDITS_PER_JIFFY = 1n << BigInt((MAX / (HZ * DAY)).toString(2).length - 1);

/** user2credits of revision 3. */
function credits(cost: bigint): bigint {
  return BigInt.asUintN(WORD, cost * ((HZ * CREDITS_PER_JIFFY) / HASHLIMIT_SCALE));
}

/** Whether the kernel finds that a burst would overflow, and refuses the rule. */
export function hashlimitOverflows(average: bigint, burst: bigint): boolean {
  return credits(average * burst) < credits(average);
}
