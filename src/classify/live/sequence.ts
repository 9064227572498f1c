/**
 * The order of rules while rules come and go: a linked list whose members have numbers (31 bits) with gaps, so that two rules
 * are compared by two numbers and a new one goes between its neighbours without changing theirs.
 */

/** No rule. */
export const NOBODY = 0xffffffff;

/** Numbers are below this: twice a number, and one less than that, are orders of rows. */
const END = 0x7fffffff;
/** How far a rule is put from the one before which, or behind which, rules are put again and again. */
const NEAR = 64;
/** How far the first and the last rule are put from the others. */
const AT_ENDS = 1 << 12;

export interface Sequence {
  /** The number of each rule. */
  readonly order: Uint32Array;
  readonly first: number;
  readonly last: number;
  next(rule: number): number;
  previous(rule: number): number;
  /** Puts a rule before another (NOBODY: at the end). False, with nothing done, when no number is left between. */
  insert(rule: number, before: number): boolean;
  remove(rule: number): void;
  /**
   * The smallest run of rules around the place before `before` whose numbers can be set apart again; with the new number of each.
   * Undefined when that would be more than `most` rules.
   */
  crowd(
    before: number,
    most: number,
  ): { readonly rules: readonly number[]; readonly orders: readonly number[] } | undefined;
  renumber(rule: number, order: number): void;
}

/** Rules 0..count) in this order, with room for `capacity`. */
export function createSequence(count: number, capacity: number): Sequence {
  const order = new Uint32Array(capacity);
  const next = new Uint32Array(capacity).fill(NOBODY);
  const previous = new Uint32Array(capacity).fill(NOBODY);
  // The middle half of the numbers: rules are most often put at the ends.
  const step = Math.max(1, Math.floor(2 ** 30 / (count + 1)));
  for (let rule = 0; rule < count; rule++) {
    order[rule] = 2 ** 29 + step * rule;
    next[rule] = rule + 1 < count ? rule + 1 : NOBODY;
    previous[rule] = rule > 0 ? rule - 1 : NOBODY;
  }
  let first = count > 0 ? 0 : NOBODY;
  let last = count > 0 ? count - 1 : NOBODY;
  let latest = NOBODY;

  /** The number for a rule between two others, or -1. */
  const between = (left: number, right: number): number => {
    if (left === NOBODY && right === NOBODY) return 2 ** 30;
    const low = left === NOBODY ? 0 : order[left]!;
    const high = right === NOBODY ? END : order[right]!;
    const gap = high - low;
    if (gap < 2) return -1;
    const half = Math.floor(gap / 2);
    if (left === NOBODY) return high - Math.min(half, AT_ENDS);
    if (right === NOBODY) return low + Math.min(half, AT_ENDS);
    if (right === latest) return high - Math.min(half, NEAR);
    if (left === latest) return low + Math.min(half, NEAR);
    return low + half;
  };

  return {
    order,
    get first() {
      return first;
    },
    get last() {
      return last;
    },
    next: (rule) => next[rule]!,
    previous: (rule) => previous[rule]!,
    insert(rule, before) {
      const left = before === NOBODY ? last : previous[before]!;
      const number = between(left, before);
      if (number < 0) return false;
      order[rule] = number;
      next[rule] = before;
      previous[rule] = left;
      if (left === NOBODY) first = rule;
      else next[left] = rule;
      if (before === NOBODY) last = rule;
      else previous[before] = rule;
      latest = rule;
      return true;
    },
    remove(rule) {
      const [left, right] = [previous[rule]!, next[rule]!];
      if (left === NOBODY) first = right;
      else next[left] = right;
      if (right === NOBODY) last = left;
      else previous[right] = left;
      if (latest === rule) latest = NOBODY;
    },
    crowd(before, most) {
      const rules: number[] = [];
      let left = before === NOBODY ? last : previous[before]!;
      let right = before;
      for (let wanted = 4; wanted <= most; wanted *= 2) {
        while (rules.length < wanted && (left !== NOBODY || right !== NOBODY)) {
          if (left !== NOBODY) {
            rules.unshift(left);
            left = previous[left]!;
          }
          if (right !== NOBODY) {
            rules.push(right);
            right = next[right]!;
          }
        }
        const low = left === NOBODY ? 0 : order[left]!;
        const high = right === NOBODY ? END : order[right]!;
        const apart = Math.floor((high - low) / (rules.length + 1));
        if (apart >= wanted) return { rules, orders: rules.map((_, i) => low + apart * (i + 1)) };
        if (left === NOBODY && right === NOBODY) break;
      }
      return undefined;
    },
    renumber(rule, number) {
      order[rule] = number;
    },
  };
}
