/** Rows of the same shape: which dimensions hold one value each. Ten thousand `-s ADDRESS -j DROP` are one group. */
import type { Rows } from './rows.ts';

export interface Group {
  /** Dimensions in which each row of the group has exactly one value. */
  readonly dimensions: readonly number[];
  readonly list: Uint32Array;
}

/** Groups of at least `least` rows of `list`, the largest first. Rows without any single value are in none. */
export function findGroups(rows: Rows, list: Uint32Array, least: number): readonly Group[] {
  const shape = new Uint32Array(list.length);
  for (let d = 0; d < rows.max.length; d++) {
    const lo = rows.lo[d]!;
    const hi = rows.hi[d]!;
    for (let i = 0; i < list.length; i++) {
      const row = list[i]!;
      if (lo[row] === hi[row]) shape[i] = (shape[i]! | (1 << d)) >>> 0;
    }
  }
  const sizes = new Map<number, number>();
  for (const bits of shape) sizes.set(bits, (sizes.get(bits) ?? 0) + 1);
  return [...sizes]
    .filter(([bits, size]) => bits !== 0 && size >= least)
    .sort((a, b) => b[1] - a[1])
    .map(([bits]) => ({
      dimensions: Array.from(rows.max, (_, d) => d).filter((d) => ((bits >>> d) & 1) === 1),
      list: list.filter((_row, i) => shape[i] === bits),
    }));
}
