/**
 * The arithmetic of xt_limit, in its own unsigned 32 bits.
 *
 * A rule's `avg` is the time one packet costs, in units of 1/10,000 s (XT_LIMIT_SCALE). The kernel counts in credits:
 * every jiffy earns `creditsPerJiffy`, every match costs `cost`, and `cap` is the most that can be saved up.
 */

const SCALE = 10_000;
const U32 = 0xffff_ffff;
const SECONDS_PER_DAY = 86_400;

/** CREDITS_PER_JIFFY: the largest power of two that lets 32 bits hold a day's worth; 128 at HZ 250. */
export function creditsPerJiffy(hz: number): number {
  return 2 ** Math.floor(Math.log2(Math.floor(U32 / (hz * SECONDS_PER_DAY))));
}

/** user2credits: 1/10,000 s to credits; divides first, losing precision, where the product would not fit 32 bits. */
export function userToCredits(user: number, hz: number): number {
  const perSecond = hz * creditsPerJiffy(hz);
  if (user > Math.floor(U32 / perSecond)) return Math.imul(Math.floor(user / SCALE), perSecond) >>> 0;
  return Math.floor((user * perSecond) / SCALE);
}

/** Cost of one match and the cap, in credits, of a rule with this `avg` and `burst` (struct xt_rateinfo). */
export function limitCredits(limit: { readonly avg: number; readonly burst: number }, hz: number): LimitCredits {
  return {
    cost: userToCredits(limit.avg, hz),
    cap: userToCredits(Math.imul(limit.avg, limit.burst) >>> 0, hz),
    perJiffy: creditsPerJiffy(hz),
  };
}

export interface LimitCredits {
  readonly cost: number;
  readonly cap: number;
  readonly perJiffy: number;
}

/** The kernel refuses such a rule (ERANGE, "Overflow, try lower"): no burst, or the cap overflows below the cost. */
export function limitOverflows(limit: { readonly avg: number; readonly burst: number }, hz: number): boolean {
  const { cost, cap } = limitCredits(limit, hz);
  return limit.burst === 0 || cap < cost;
}

/**
 * One use of the match (limit_mt): credit earned since the last use, then paid for if it suffices. The earned credit is
 * cut to 32 bits before the cap applies, as the kernel does, so more than 2^32 credits (37 hours at HZ 250) wrap around.
 */
export function useCredit(
  credit: number,
  elapsedJiffies: bigint,
  limit: LimitCredits,
): { readonly credit: number; readonly matches: boolean } {
  const earned = Number(BigInt.asUintN(32, elapsedJiffies * BigInt(limit.perJiffy)));
  const full = Math.min((credit + earned) % 2 ** 32, limit.cap);
  return full >= limit.cost ? { credit: full - limit.cost, matches: true } : { credit: full, matches: false };
}
