/**
 * Trees built anew take the place of a run's: from the snapshot of its rows to the change that puts them into force. What changes in
 * between is not lost: it is brought into the new trees in the same change.
 */
import { NO_ORDER } from '../image.ts';
import type { Part } from '../part.ts';
import { SLOT_BYTES } from '../slots.ts';
import type { Change, Outcome, Refusal, Write } from './change.ts';
import { copyRows, misfit, type RowsCopy, type Snapshot, takeSnapshot } from './compaction.ts';
import { HeapFull } from './heap.ts';
import { PIECE_WASTE, type Piece, placeTree } from './place-tree.ts';
import { createPlacement, isRuleTree, type Placement } from './placement.ts';
import { reasonOf } from './reasons.ts';
import type { Transaction, TransactionBase } from './transaction.ts';
import type { TreePart } from './tree-part.ts';

/** What has to be known of a tree that takes part; its slots are where they will be, or come with it. */
export type BuiltTree = Pick<Part, 'list' | 'slots' | 'depth' | 'longestLeaf' | 'hash'>;

export interface Adoption {
  /** The rows that lie in trees, to be built anew while the run goes on changing; their ids are kept until `adopt` or `abandon`. */
  snapshot(): Snapshot;
  /** The same for another thread, which makes the snapshot (compaction.ts, `takeSnapshot`). */
  copy(): RowsCopy;
  /** Room in the heap for trees of the snapshot's rows, slot numbers. A refusal changes nothing. */
  reserve(trees: readonly BuiltTree[]): readonly Room[] | Refusal;
  /** Slots (place-tree.ts) for reserved room: to be written to memory that no reader knows. */
  fill(first: number, words: Uint32Array): Write;
  /**
   * The trees are all there, filled: what has changed since the snapshot can be brought into them. Room beyond `used` slots of each piece is given
   * back. `ids` are the snapshot's.
   */
  begin(
    trees: readonly BuiltTree[],
    reserved: readonly Room[],
    used: readonly (readonly number[])[],
    ids: Uint32Array,
  ): void;
  /** Brings some changes into the trees: rows taken away or put in. What it writes no reader knows. `left`: there are more of them. */
  catchUp(most: number): { readonly writes: readonly Write[]; readonly left: boolean } | Refusal;
  /**
   * Puts the trees in the place of those there are, with what has changed since. With `trees` of the snapshot's rows (`buildParts` or `buildClassifier`,
   * 'trees') all of the above in one; then a refusal changes nothing.
   */
  adopt(trees?: readonly Part[]): Outcome;
  /** Nothing comes of the snapshot, or of room that was reserved. */
  abandon(reserved?: readonly Room[]): void;
}

/** Free slots for one tree (place-tree.ts). */
export type Room = readonly Piece[];

export interface AdoptionHost {
  readonly base: TransactionBase;
  readonly placement: Placement;
  /** Slots of the rules' trees as they were at first. */
  readonly treeSlots: number;
  begin(): Transaction;
  finish(transaction: Transaction): Change;
  giveRows(rows: readonly number[]): void;
  /** Why the run takes no change any more. */
  readonly exhausted: () => Refusal['why'] | undefined;
  readonly exhaust: (why: Refusal['why']) => void;
}

/** The share of the heap that trees may take to be built anew again and again, and how much larger they may get. */
const SHARE = 0.45;
const MAY_GROW = 1.25;
const LEAST_ROOM = 16_384;
/** Shorter pieces of the heap are left to changes. */
const LEAST_PIECE = 256;

/** The parts as they will be, on their own memory: no reader knows them. */
interface Shadow {
  readonly parts: readonly TreePart[];
  readonly partOf: Int16Array;
  readonly placement: Placement;
}

/** `hold`: ids of rows that are gone, and free but for the snapshot; false when there is none. */
export function createAdoption(host: AdoptionHost): Adoption & { readonly hold: (rows: readonly number[]) => boolean } {
  const { base, placement } = host;
  const { rows, heap, words, region, limits, heapOffset } = base;
  const { parts, partOf } = placement;
  const inTree = new Uint8Array(parts.reduce((most, { place }) => Math.max(most, place), 0) + 1);
  for (const part of parts) if (isRuleTree(part)) inTree[part.place] = 1;
  // Later ones have to find room beside these.
  const mostSlots = Math.min(heap.slots * SHARE, host.treeSlots * MAY_GROW + LEAST_ROOM);
  const held: number[] = [];
  let shadow: Shadow | undefined;
  let opened: { readonly ids: Uint32Array } | undefined;
  const isIn = (row: number): boolean => partOf[row]! >= 0 && inTree[partOf[row]!] === 1;

  const letGo = (): void => {
    opened = undefined;
    shadow = undefined;
    host.giveRows(held.splice(0));
  };
  const giveBack = (rooms: readonly Room[]): void => {
    for (const { first, count } of rooms.flat()) heap.give(first, count);
  };
  const takeRoom = ({ slots, longestLeaf }: BuiltTree): Room => {
    const least = Math.min(slots, LEAST_PIECE) + longestLeaf;
    const room: Piece[] = [];
    try {
      for (let left = slots; left > 0; ) {
        const whole = left + longestLeaf + PIECE_WASTE;
        const count = Math.min(heap.longest(), whole);
        if (count < Math.min(least, whole)) throw new HeapFull('only dust is free');
        room.push({ first: heap.take(count), count });
        left -= count - longestLeaf - PIECE_WASTE;
      }
    } catch (error) {
      giveBack([room]);
      throw error;
    }
    return room;
  };
  const reserve: Adoption['reserve'] = (trees) => {
    const rooms: Room[] = [];
    const unfit = misfit(trees, parts, limits);
    if (unfit !== undefined) return { kind: 'full', why: unfit };
    try {
      for (const tree of trees) rooms.push(takeRoom(tree));
    } catch (error) {
      giveBack(rooms);
      return { kind: 'full', why: reasonOf(error) };
    }
    return rooms;
  };
  const fill: Adoption['fill'] = (first, slots) => {
    words.set(slots, first * (SLOT_BYTES / 4));
    const offset = heapOffset + first * SLOT_BYTES;
    return { offset, bytes: new Uint8Array(region.buffer, region.byteOffset + offset, slots.byteLength) };
  };

  /** The rows that are gone and still in the new trees, and those that are not there yet. */
  const missed = ({ partOf: own }: Shadow): { readonly gone: number[]; readonly late: number[] } => {
    const gone: number[] = [];
    const late: number[] = [];
    const { alive, count } = rows;
    for (let row = 0; row < count; row++) {
      if (alive[row] === 0) {
        if (own[row]! >= 0) gone.push(row);
      } else if (own[row]! < 0 && isIn(row)) late.push(row);
    }
    return { gone, late };
  };
  const bringIn = (transaction: Transaction, to: Shadow, most: number): boolean => {
    const { gone, late } = missed(to);
    const aside = { ...transaction, rowsFreed: [] };
    // Each hides what it hid until its turn comes. Their ids were kept from others.
    for (const row of gone) rows.alive[row] = 1;
    try {
      for (const row of gone.slice(0, most)) {
        rows.alive[row] = 0;
        to.placement.remove(aside, row);
      }
      for (const row of late.slice(0, Math.max(0, most - gone.length))) to.placement.insert(aside, row, 0);
    } finally {
      for (const row of gone) rows.alive[row] = 0;
    }
    return gone.length + late.length > most;
  };

  const begin: Adoption['begin'] = (trees, rooms, used, ids) => {
    for (const [i, room] of rooms.entries()) {
      for (const [p, { first, count }] of room.entries()) heap.give(first + used[i]![p]!, count - used[i]![p]!);
    }
    const own = parts.filter(isRuleTree).map(({ place }, i): TreePart => {
      const tree = trees[i];
      const at = { kind: 'tree', place, group: 0 } as const;
      if (tree === undefined) return { ...at, root: -1, rows: 0, firstOrder: NO_ORDER, members: new Set() };
      const firstOrder = tree.list.length === 0 ? NO_ORDER : rows.order[ids[tree.list[0]!]!]!;
      return { ...at, root: rooms[i]![0]!.first, rows: tree.list.length, firstOrder, members: undefined };
    });
    const placeOf = new Int16Array(partOf.length).fill(-1);
    trees.forEach(({ list }, i) => {
      for (let at = 0; at < list.length; at++) placeOf[ids[list[at]!]!] = own[i]!.place;
    });
    const about = { region, rows, parts: own, partOf: placeOf, passesOver: false, quiet: () => true };
    shadow = { parts: own, partOf: placeOf, placement: createPlacement(about) };
  };

  const switchTo = (transaction: Transaction, { parts: own, partOf: placeOf }: Shadow): void => {
    transaction.rowsFreed.push(...placement.zombies);
    placement.zombies.clear();
    for (const tree of parts) {
      if (!isRuleTree(tree)) continue;
      if (tree.root >= 0) transaction.dropped.push(tree.root);
      const { root, rows: count, firstOrder, members } = own.find(({ place }) => place === tree.place)!;
      Object.assign(tree, { root, rows: count, firstOrder, members });
    }
    for (let row = 0; row < placeOf.length; row++) if (placeOf[row]! >= 0) partOf[row] = placeOf[row]!;
  };

  const finish = (transaction: Transaction): Outcome => {
    try {
      bringIn(transaction, shadow!, Number.POSITIVE_INFINITY);
      switchTo(transaction, shadow!);
      letGo();
    } catch (error) {
      const why = reasonOf(error);
      host.exhaust(why);
      return { kind: 'full', why };
    }
    return host.finish(transaction);
  };

  return {
    snapshot() {
      const taken = takeSnapshot(copyRows(rows, isIn, mostSlots));
      opened = taken;
      return taken;
    },
    copy() {
      opened = { ids: new Uint32Array() };
      return copyRows(rows, isIn, mostSlots);
    },
    reserve,
    fill,
    begin,
    catchUp(most) {
      const transaction = host.begin();
      try {
        const left = bringIn(transaction, shadow!, most);
        // Nobody has seen what these changes have replaced.
        const { freed } = transaction;
        for (let i = 0; i < freed.length; i += 2) heap.give(freed[i]!, freed[i + 1]!);
        return { writes: transaction.writes(), left };
      } catch (error) {
        return { kind: 'full', why: reasonOf(error) };
      }
    },
    adopt(trees) {
      const exhausted = host.exhausted();
      if (exhausted !== undefined) return { kind: 'full', why: exhausted };
      if (trees === undefined) return finish(host.begin());
      if (opened === undefined) throw new RangeError('no snapshot was taken');
      const { ids } = opened;
      const rooms = reserve(trees);
      if ('kind' in rooms) {
        letGo();
        return rooms;
      }
      const transaction = host.begin();
      const used = trees.map(({ words: own }, i) => {
        const contents = placeTree(own, rooms[i]!, ids, rows.records.stride);
        return contents.map((content, p) => {
          const { offset, bytes } = fill(rooms[i]![p]!.first, content);
          transaction.wrote(offset, bytes.length);
          return bytes.length / SLOT_BYTES;
        });
      });
      begin(trees, rooms, used, ids);
      return finish(transaction);
    },
    abandon(reserved = []) {
      giveBack(reserved);
      letGo();
    },
    hold(free) {
      if (opened === undefined) return false;
      held.push(...free);
      return true;
    },
  };
}
