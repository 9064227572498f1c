/** What several parts cost together. */
import type { Cost } from './cost.ts';
import type { Part } from './part.ts';

/** Expected cost, if every row is as likely to be the answer: a part is walked unless an earlier one had an answer before it. */
export function partsCost(parts: readonly Pick<Part, 'list' | 'firstRow' | 'cost'>[], rows: number): Cost {
  const order = [...parts].sort((a, b) => a.firstRow - b.firstRow);
  let nanoseconds = 0;
  let bytes = 0;
  order.forEach((part, i) => {
    let before = 0;
    for (let j = 0; j < i; j++) before += countBelow(order[j]!.list, part.firstRow);
    nanoseconds += part.cost.nanoseconds * (1 - before / Math.max(1, rows));
    bytes += part.cost.bytes;
  });
  return { nanoseconds, bytes };
}

/** Members of an ascending list that are smaller than `value`. */
export function countBelow(list: Uint32Array, value: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
