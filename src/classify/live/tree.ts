/**
 * Changing a cut tree without touching it: the slots from the root to the changed leaves are copied, the rest is shared. Nothing that a
 * reader could be in is written to; what is no longer used is named, to be used again when no reader is left.
 */
import type { Region } from '../cut.ts';
import { buildCutTree, dropDead } from '../cut-tree.ts';
import { relocateTree, thresholdCount } from '../relocate.ts';
import {
  CHILD_SHIFT,
  DIMENSION_SHIFT,
  FIRST_ROW_WORD,
  LEAF,
  LEAF_CONTINUES,
  NOTHING,
  recordSlots,
  SLOT_ROWS,
  SLOT_WORDS,
  slotBuffer,
  takeSlots,
} from '../slots.ts';
import type { LiveRows } from './live-rows.ts';

/** What the program was made for: it walks no further. */
export interface LiveLimits {
  /** Inner slots on a path at most. */
  readonly levels: number;
  /** Slots of a leaf at most. */
  readonly leafSlots: number;
}

/** The tree would not fit into what the program was made for. */
export class ShapeExceeded extends Error {}

export interface TreeMemory {
  /** The heap, slot 0 first. */
  readonly words: Uint32Array;
  readonly rows: LiveRows;
  readonly limits: LiveLimits;
  /** Slots that no reader knows; they are written before the change is in force. @throws HeapFull */
  take(count: number): number;
  /** Slots that are no longer part of the tree. */
  give(first: number, count: number): void;
}

/** What giving trees back takes. */
type FreedMemory = Pick<TreeMemory, 'words' | 'rows' | 'give'>;

/** The eight words of a slot. */
export type Slot = Uint32Array;

/** The new rows of a leaf, ascending by order, or undefined when it stays as it is. */
export type LeafChange = (list: Uint32Array, region: Region) => Uint32Array | undefined;

/** A child behind which only a long leaf lies has no brothers. */
const scratch = slotBuffer(1024);

export function wholeRegion(rows: LiveRows): Region {
  return { lo: new Uint32Array(rows.max.length), hi: rows.max.slice() };
}

/** A tree of the rows (ascending by order) for keys in the region; the slot above it is the result. */
export function buildSlot(memory: TreeMemory, list: Uint32Array, region: Region, depth: number): Slot {
  const { rows, limits, words } = memory;
  const left = list.subarray(0, dropDead(rows, list, 0, list.length, region));
  const maxDepth = limits.levels - depth - 1;
  if (maxDepth < 0 && left.length > SLOT_ROWS) throw new ShapeExceeded('the path is too long');
  for (let leafRows = SLOT_ROWS; ; leafRows *= 4) {
    scratch.used = 0;
    takeSlots(scratch, 1);
    const maxSlots = 256 + 64 * left.length;
    const tree = buildCutTree(rows, rows.records, left, scratch, 0, { maxSlots, maxDepth, leafRows }, region);
    if (tree === undefined) continue;
    if (tree.longestLeaf > limits.leafSlots) throw new ShapeExceeded('the leaf is too long');
    break;
  }
  const count = scratch.used - 1;
  const base = memory.take(count);
  relocateTree(scratch.words, 0, base - 1);
  words.set(scratch.words.subarray(SLOT_WORDS, (count + 1) * SLOT_WORDS), base * SLOT_WORDS);
  return scratch.words.slice(0, SLOT_WORDS);
}

/** Gives back everything below a slot, not the slot itself. */
export function giveTree(memory: TreeMemory, slot: number): void {
  const { words } = memory;
  const head = words[slot * SLOT_WORDS]!;
  if ((head & LEAF) !== 0) {
    giveRecords(memory, slot);
    return;
  }
  const first = head >>> CHILD_SHIFT;
  const thresholds = thresholdCount(words, slot);
  if (thresholds === 0) giveLongLeaf(memory, first);
  else {
    for (let child = 0; child <= thresholds; child++) giveTree(memory, first + child);
    memory.give(first, thresholds + 1);
  }
}

/**
 * Gives a tree back that nobody reads any more, bit by bit: `stack` holds its root at first. About `most` slots are looked at; true when the
 * stack is empty. A negative number stands for slots from ~number on, and their count below it.
 */
export function sweepTrees(memory: FreedMemory, stack: number[], most: number): boolean {
  const { words } = memory;
  for (let left = most; left > 0 && stack.length > 0; left--) {
    const slot = stack.pop()!;
    if (slot < 0) {
      memory.give(~slot, stack.pop()!);
      continue;
    }
    const head = words[slot * SLOT_WORDS]!;
    if ((head & LEAF) !== 0) {
      giveRecords(memory, slot);
      continue;
    }
    const first = head >>> CHILD_SHIFT;
    const thresholds = thresholdCount(words, slot);
    if (thresholds === 0) {
      giveLongLeaf(memory, first);
      continue;
    }
    stack.push(thresholds + 1, ~first);
    for (let child = 0; child <= thresholds; child++) stack.push(first + child);
  }
  return stack.length === 0;
}

/**
 * Changes the leaves that the box lo..hi meets. The result is the new content of `slot`, or undefined when nothing changed. `region` is
 * the part of the space below the slot.
 */
export function editTree(
  memory: TreeMemory,
  slot: number,
  box: Region,
  region: Region,
  depth: number,
  change: LeafChange,
): Slot | undefined {
  const { words } = memory;
  const at = slot * SLOT_WORDS;
  const head = words[at]!;
  const first = head >>> CHILD_SHIFT;
  const thresholds = (head & LEAF) !== 0 ? 0 : thresholdCount(words, slot);
  if (thresholds === 0) {
    const leaf = (head & LEAF) !== 0 ? slot : first;
    const list = change(readLeaf(words, leaf), region);
    if (list === undefined) return undefined;
    const content = buildSlot(memory, list, region, depth);
    if (leaf === slot) giveRecords(memory, slot);
    else giveLongLeaf(memory, first);
    return content;
  }
  const d = (head >>> DIMENSION_SHIFT) & 31;
  const [low, high] = [region.lo[d]!, region.hi[d]!];
  const children: [child: number, content: Slot][] = [];
  const end = exceeded(words, at, thresholds, box.hi[d]!);
  for (let child = exceeded(words, at, thresholds, box.lo[d]!); child <= end; child++) {
    region.lo[d] = child === 0 ? low : words[at + child]! + 1;
    region.hi[d] = child === thresholds ? high : words[at + child + 1]!;
    const content = editTree(memory, first + child, box, region, depth + 1, change);
    if (content !== undefined) children.push([child, content]);
  }
  region.lo[d] = low;
  region.hi[d] = high;
  if (children.length === 0) return undefined;
  const copy = memory.take(thresholds + 1);
  words.copyWithin(copy * SLOT_WORDS, first * SLOT_WORDS, (first + thresholds + 1) * SLOT_WORDS);
  for (const [child, content] of children) words.set(content, (copy + child) * SLOT_WORDS);
  memory.give(first, thresholds + 1);
  const content = words.slice(at, at + SLOT_WORDS);
  content[0] = ((copy << CHILD_SHIFT) | (head & ((1 << CHILD_SHIFT) - 1))) >>> 0;
  return content;
}

/** Leaves that a box meets, a long one for as many as it has slots; counting ends beyond `most`. */
export function leavesMet(words: Uint32Array, slot: number, box: Region, most: number): number {
  const at = slot * SLOT_WORDS;
  const head = words[at]!;
  if ((head & LEAF) !== 0) return 1 + ((head & LEAF_CONTINUES) !== 0 ? leavesMet(words, slot + 1, box, most) : 0);
  const first = head >>> CHILD_SHIFT;
  const thresholds = thresholdCount(words, slot);
  if (thresholds === 0) return leavesMet(words, first, box, most);
  const d = (head >>> DIMENSION_SHIFT) & 31;
  const end = exceeded(words, at, thresholds, box.hi[d]!);
  let met = 0;
  for (let child = exceeded(words, at, thresholds, box.lo[d]!); child <= end && met <= most; child++) {
    met += leavesMet(words, first + child, box, most - met);
  }
  return met;
}

/** The rows of a leaf whose first slot is `leaf`. */
export function readLeaf(words: Uint32Array, leaf: number): Uint32Array {
  const out: number[] = [];
  for (let slot = leaf; ; slot++) {
    const at = slot * SLOT_WORDS;
    for (let i = FIRST_ROW_WORD; i < SLOT_WORDS && words[at + i] !== NOTHING; i++) out.push(words[at + i]!);
    if ((words[at]! & LEAF_CONTINUES) === 0) return Uint32Array.from(out);
  }
}

/** Thresholds of the inner slot at word `at` that a value exceeds. */
function exceeded(words: Uint32Array, at: number, thresholds: number, value: number): number {
  let count = 0;
  while (count < thresholds && words[at + 1 + count]! < value) count++;
  return count;
}

function giveRecords(memory: FreedMemory, slot: number): void {
  const at = slot * SLOT_WORDS;
  let count = 0;
  while (count < SLOT_ROWS && memory.words[at + FIRST_ROW_WORD + count] !== NOTHING) count++;
  memory.give(memory.words[at + 1]!, recordSlots(memory.rows.records, count));
}

/** A leaf of several slots, which lie side by side. */
function giveLongLeaf(memory: FreedMemory, first: number): void {
  let slot = first;
  for (; ; slot++) {
    giveRecords(memory, slot);
    if ((memory.words[slot * SLOT_WORDS]! & LEAF_CONTINUES) === 0) break;
  }
  memory.give(first, slot - first + 1);
}
