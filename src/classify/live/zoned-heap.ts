/**
 * A heap in which what changes take lies apart from whole trees: else their few slots would be scattered over all that is free, and no
 * tree would find room any more.
 */
import { createHeap, type Heap, HeapFull } from './heap.ts';

/** The share of what is free at first that is for changes. */
const CHANGES = 0.3;
/** Longer ranges belong to trees. */
const LONG = 512;

/** The first `used` slots are taken. */
export function createZonedHeap(slots: number, used: number): Heap {
  const border = slots - Math.floor((slots - used) * CHANGES);
  const trees = createHeap(border, used);
  const changes = createHeap(slots - border, 0);
  const inTrees = (count: number): number => trees.take(count);
  const inChanges = (count: number): number => border + changes.take(count);
  const longest = (): number => Math.max(trees.longest(), changes.longest());
  const heap: Heap = {
    slots,
    get free() {
      return trees.free + changes.free;
    },
    take(count) {
      const [first, second] = count > LONG ? [inTrees, inChanges] : [inChanges, inTrees];
      try {
        return first(count);
      } catch (error) {
        if (!(error instanceof HeapFull)) throw error;
        return second(count);
      }
    },
    give(first, count) {
      if (first < border) trees.give(first, count);
      else changes.give(first - border, count);
    },
    longest,
    fragmentation: () => (heap.free === 0 ? 0 : 1 - longest() / heap.free),
  };
  return heap;
}
