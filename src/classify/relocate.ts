/** Moving slots: builders number slots from the beginning of a part, memory numbers them from the beginning of its heap. */
import { CHILD_SHIFT, LEAF, LEAF_CONTINUES, NOTHING, SLOT_WORDS } from './slots.ts';

const LOW = (1 << CHILD_SHIFT) - 1;

/** Thresholds of an inner slot; it has one child more. */
export function thresholdCount(words: Uint32Array, slot: number): number {
  let count = 0;
  while (count < SLOT_WORDS - 1 && words[slot * SLOT_WORDS + 1 + count] !== NOTHING) count++;
  return count;
}

/**
 * Adds `delta` to every slot number in the tree below `root`, in place. `at` is where slot 0 of the numbers as they are lies in
 * `words`, in slots.
 */
export function relocateTree(words: Uint32Array, root: number, delta: number, at = 0): void {
  const word = (at + root) * SLOT_WORDS;
  const head = words[word]!;
  if ((head & LEAF) !== 0) {
    words[word + 1] = words[word + 1]! + delta;
    if ((head & LEAF_CONTINUES) !== 0) relocateTree(words, root + 1, delta, at);
    return;
  }
  const first = head >>> CHILD_SHIFT;
  words[word] = (((first + delta) << CHILD_SHIFT) | (head & LOW)) >>> 0;
  const thresholds = thresholdCount(words, at + root);
  for (let child = 0; child <= thresholds; child++) relocateTree(words, first + child, delta, at);
}
