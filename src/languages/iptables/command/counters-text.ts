/** Counters as listings print them. */

/** Up to 99,999 as it is, then rounded thousands with K, M, G or T (xtables_print_num); `exact`: all digits. */
export function shortNumber(value: bigint, exact: boolean): string {
  if (exact) return value.toString().padStart(8);
  if (value <= 99_999n) return value.toString().padStart(5);
  let number = (value + 500n) / 1000n;
  for (const unit of ['K', 'M', 'G']) {
    if (number <= 9999n) return `${number.toString().padStart(4)}${unit}`;
    number = (number + 500n) / 1000n;
  }
  return `${number.toString().padStart(4)}T`;
}
