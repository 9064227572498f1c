/** Numbers out of repeated measurements. */

export interface Sample {
  readonly min: number;
  readonly median: number;
}

/** Smallest and middle value. */
export function sampleOf(values: readonly number[]): Sample {
  const sorted = [...values].sort((a, b) => a - b);
  return { min: sorted[0] ?? Number.NaN, median: sorted[sorted.length >> 1] ?? Number.NaN };
}

/**
 * Calls every measurement `rounds` times, in turn (A B C A B C ...), so that whatever else the machine does meets them all.
 * The first round warms up and does not count.
 */
export function interleave(measurements: readonly (() => number)[], rounds: number): readonly Sample[] {
  const values = measurements.map((): number[] => []);
  for (let round = 0; round <= rounds; round++) {
    measurements.forEach((measure, index) => {
      const value = measure();
      if (round > 0) values[index]!.push(value);
    });
  }
  return values.map(sampleOf);
}
