/**
 * Who owns which slots of a heap. Any part of what was taken can be given back; neighbours that are free are one range at once, in
 * constant time: the first and the last slot of a free range know its length, and ranges of like size are linked.
 */

/** Nothing is free that is long enough. */
export class HeapFull extends Error {}

export interface Heap {
  readonly slots: number;
  /** Slots that are free. */
  readonly free: number;
  /** The first of `count` slots side by side. @throws HeapFull */
  take(count: number): number;
  /** Gives slots back that were taken. */
  give(first: number, count: number): void;
  /** Slots of the longest free range. */
  longest(): number;
  /** 0: all that is free is one range. Near 1: it is dust. */
  fragmentation(): number;
}

/** Ranges of 1..EXACT slots have a list for each length; longer ones one for each power of two. */
const EXACT = 64;
const LISTS = EXACT + 26;
const NONE = -1;

/** A heap whose first `used` slots are taken. */
export function createHeap(slots: number, used: number): Heap {
  // At the first and the last slot of a free range: its length; 0 elsewhere.
  const length = new Int32Array(slots + 1);
  // At the first slot: the neighbours in its list.
  const next = new Int32Array(slots);
  const previous = new Int32Array(slots);
  const heads = new Int32Array(LISTS).fill(NONE);
  // `length` alone cannot tell the last slot of a range from the first.
  const starts = new Uint8Array(slots + 1);
  let free = 0;

  const link = (first: number, count: number): void => {
    const list = listOf(count);
    length[first] = count;
    length[first + count - 1] = count;
    starts[first] = 1;
    previous[first] = NONE;
    next[first] = heads[list]!;
    if (heads[list] !== NONE) previous[heads[list]!] = first;
    heads[list] = first;
    free += count;
  };
  const unlink = (first: number): number => {
    const count = length[first]!;
    const list = listOf(count);
    if (previous[first] === NONE) heads[list] = next[first]!;
    else next[previous[first]!] = next[first]!;
    if (next[first] !== NONE) previous[next[first]!] = previous[first]!;
    length[first] = 0;
    length[first + count - 1] = 0;
    starts[first] = 0;
    free -= count;
    return count;
  };
  /** Of the lists that may have a range that is long enough the first such range. */
  const find = (count: number): number => {
    for (let list = listOf(count); list < LISTS; list++) {
      for (let first = heads[list]!; first !== NONE; first = next[first]!) if (length[first]! >= count) return first;
    }
    return NONE;
  };
  const longest = (): number => {
    let most = 0;
    for (let list = LISTS - 1; list >= 0 && most === 0; list--) {
      for (let first = heads[list]!; first !== NONE; first = next[first]!) most = Math.max(most, length[first]!);
    }
    return most;
  };
  if (slots > used) link(used, slots - used);

  return {
    slots,
    get free() {
      return free;
    },
    take(count) {
      if (count === 0) return 0;
      const first = find(count);
      if (first === NONE) throw new HeapFull(`no ${count} slots side by side`);
      const whole = unlink(first);
      if (whole > count) link(first + count, whole - count);
      return first;
    },
    give(first, count) {
      if (count === 0) return;
      let from = first;
      let to = first + count;
      if (from > 0 && length[from - 1]! > 0) {
        from -= length[from - 1]!;
        unlink(from);
      }
      if (to < slots && starts[to] === 1) to += unlink(to);
      link(from, to - from);
    },
    longest,
    fragmentation: () => (free === 0 ? 0 : 1 - longest() / free),
  };
}

function listOf(count: number): number {
  return count <= EXACT ? count - 1 : EXACT + (31 - Math.clz32(count)) - 6;
}
