/** A tree that was built on its own, put into the free pieces of a heap. */
import { thresholdCount } from '../relocate.ts';
import { CHILD_SHIFT, FIRST_ROW_WORD, LEAF, LEAF_CONTINUES, NOTHING, SLOT_ROWS, SLOT_WORDS } from '../slots.ts';

/** Slots from..from + count) of a heap. */
export interface Piece {
  readonly first: number;
  readonly count: number;
}

/** Slots that a piece may have left over where the next group of slots does not fit, beside long leaves. */
export const PIECE_WASTE = 16;

/**
 * The contents of the pieces, as far as they are used, with the run's ids (`ids`) for rows; the root is the first slot of the first piece. What lies side by side stays so: the
 * children of a slot, the slots of a long leaf, the records of a leaf's slot (`stride` u32 each). @throws RangeError when it does not fit
 */
export function placeTree(
  words: Uint32Array,
  pieces: readonly Piece[],
  ids: Uint32Array,
  stride: number,
): readonly Uint32Array<ArrayBuffer>[] {
  const contents = pieces.map(({ count }) => new Uint32Array(count * SLOT_WORDS));
  const full = pieces.map(() => 0);
  let piece = 0;
  let used = 0;
  /** Slots side by side: leaves `target`, and `at` as the first of them in it. */
  let target = contents[0]!;
  const take = (count: number): number => {
    while (used + count > pieces[piece]!.count) {
      if (++piece === pieces.length) throw new RangeError('the tree does not fit into the pieces');
      used = 0;
    }
    target = contents[piece]!;
    used += count;
    full[piece] = used;
    return used - count;
  };
  const slotOf = (at: number): number => pieces[piece]!.first + at;

  const put = (slot: number, into: Uint32Array, at: number): void => {
    const from = slot * SLOT_WORDS;
    const to = at * SLOT_WORDS;
    const head = words[from]!;
    into.set(words.subarray(from, from + SLOT_WORDS), to);
    if ((head & LEAF) !== 0) {
      let rows = 0;
      while (rows < SLOT_ROWS && words[from + FIRST_ROW_WORD + rows] !== NOTHING) {
        into[to + FIRST_ROW_WORD + rows] = ids[words[from + FIRST_ROW_WORD + rows]!]!;
        rows++;
      }
      const records = take(Math.ceil((rows * stride) / SLOT_WORDS));
      const source = words[from + 1]! * SLOT_WORDS;
      target.set(words.subarray(source, source + rows * stride), records * SLOT_WORDS);
      into[to + 1] = slotOf(records);
      return;
    }
    const first = head >>> CHILD_SHIFT;
    const thresholds = thresholdCount(words, slot);
    const count = thresholds === 0 ? leafSlots(words, first) : thresholds + 1;
    const children = take(count);
    const own = target;
    into[to] = ((slotOf(children) << CHILD_SHIFT) | (head & LOW)) >>> 0;
    for (let child = 0; child < count; child++) put(first + child, own, children + child);
  };
  const count = leafSlots(words, 0);
  const root = take(count);
  const own = target;
  for (let slot = 0; slot < count; slot++) put(slot, own, root + slot);
  return contents.map((words, i) => words.slice(0, full[i]! * SLOT_WORDS));
}

const LOW = (1 << CHILD_SHIFT) - 1;

/** Slots of a leaf; 1 for an inner slot. */
function leafSlots(words: Uint32Array, slot: number): number {
  let count = 1;
  while ((words[(slot + count - 1) * SLOT_WORDS]! & (LEAF | LEAF_CONTINUES)) === (LEAF | LEAF_CONTINUES)) count++;
  return count;
}
