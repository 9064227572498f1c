/** How long the suites with random input may run: briefly in CI, as long as asked in a soak. */

const soak = Number(process.env['BPFILTER_SOAK_MINUTES'] ?? 0);

/** True in a soak: counts that the bars name are then reached in full. */
export const SOAKING = soak > 0;

/** Milliseconds for a suite that takes `ciSeconds` in CI and `share` (0 to 1) of a soak. */
export function budgetMs(ciSeconds: number, share: number): number {
  return SOAKING ? soak * 60_000 * share : ciSeconds * 1000;
}

/** Seed of everything random; the same in every CI run, given on the command line in a soak. */
export const SEED = Number(process.env['BPFILTER_SEED'] ?? 20_261_123);
