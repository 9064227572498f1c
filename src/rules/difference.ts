/** Where two lists of rules differ that share Rule objects: a rule is the same exactly when it is the same object. */

import type { Rule } from './model.ts';

export interface Difference {
  /** The first rule that differs, from 0. */
  readonly from: number;
  /** Rules from there on that only the old list has, and those that the new one has in their place. */
  readonly gone: readonly Rule[];
  readonly added: readonly Rule[];
}

const NONE: Difference = Object.freeze({ from: 0, gone: [], added: [] });

/** One stretch that holds every difference. */
export function differingRules(was: readonly Rule[], now: readonly Rule[]): Difference {
  if (was === now) return NONE;
  let from = 0;
  while (from < was.length && from < now.length && was[from] === now[from]) from++;
  let [end, newEnd] = [was.length, now.length];
  while (end > from && newEnd > from && was[end - 1] === now[newEnd - 1]) {
    end--;
    newEnd--;
  }
  return { from, gone: was.slice(from, end), added: now.slice(from, newEnd) };
}
