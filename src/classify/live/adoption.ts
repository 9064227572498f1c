/**
 * Trees built anew take the place of a run's: from the snapshot of its rows to the change that puts them into force. What changes in
 * between is not lost: it is brought into the new trees in the same change.
 */
import type { Part } from '../part.ts';
import { SLOT_BYTES } from '../slots.ts';
import type { Change, Outcome, Refusal, Write } from './change.ts';
import { copyRows, misfit, placeTree, type RowsCopy, replaceTrees, type Snapshot, takeSnapshot } from './compaction.ts';
import { isRuleTree, type Placement } from './placement.ts';
import { reasonOf } from './reasons.ts';
import type { Transaction, TransactionBase } from './transaction.ts';

/** What has to be known of a tree that takes part; its slots are where they will be, or come with it. */
export type BuiltTree = Pick<Part, 'list' | 'slots' | 'depth' | 'longestLeaf' | 'hash'>;

export interface Adoption {
  /** The rows that lie in trees, to be built anew while the run goes on changing; their ids are kept until `adopt` or `abandon`. */
  snapshot(): Snapshot;
  /** The same for another thread, which makes the snapshot (compaction.ts, `takeSnapshot`). */
  copy(): RowsCopy;
  /** Room in the heap for trees of the snapshot's rows, slot numbers. A refusal changes nothing. */
  reserve(trees: readonly BuiltTree[]): readonly number[] | Refusal;
  /** Slots (compaction.ts, `placeTree`) for reserved room: to be written to memory that no reader knows. */
  fill(first: number, words: Uint32Array): Write;
  /**
   * Puts trees of the snapshot's rows (`buildParts` or `buildClassifier`, 'trees') in the place of those there are: into reserved room that has been filled,
   * or with their slots. `ids` are the snapshot's. A refusal changes nothing.
   */
  adopt(trees: readonly Part[]): Outcome;
  adopt(trees: readonly BuiltTree[], reserved: readonly number[], ids: Uint32Array): Outcome;
  /** Nothing comes of the snapshot. */
  abandon(trees?: readonly BuiltTree[], reserved?: readonly number[]): void;
}

export interface AdoptionHost {
  readonly base: TransactionBase;
  readonly placement: Placement;
  begin(): Transaction;
  finish(transaction: Transaction): Change;
  giveRows(rows: readonly number[]): void;
  /** Why the run takes no change any more. */
  readonly exhausted: () => Refusal['why'] | undefined;
  readonly exhaust: (why: Refusal['why']) => void;
}

/** `hold`: ids of rows that are gone, and free but for the snapshot; false when there is none. */
export function createAdoption(host: AdoptionHost): Adoption & { readonly hold: (rows: readonly number[]) => boolean } {
  const { base, placement } = host;
  const { rows, heap, words, region, limits, heapOffset } = base;
  const { parts, partOf } = placement;
  const inTree = new Uint8Array(parts.reduce((most, { place }) => Math.max(most, place), 0) + 1);
  for (const part of parts) if (isRuleTree(part)) inTree[part.place] = 1;
  const held: number[] = [];
  let opened: { readonly ids: Uint32Array } | undefined;
  const isIn = (row: number): boolean => partOf[row]! >= 0 && inTree[partOf[row]!] === 1;

  const letGo = (): void => {
    opened = undefined;
    host.giveRows(held.splice(0));
  };
  const giveBack = (trees: readonly BuiltTree[], bases: readonly number[]): void => {
    bases.forEach((first, i) => {
      heap.give(first, trees[i]!.slots);
    });
  };
  const reserve: Adoption['reserve'] = (trees) => {
    const bases: number[] = [];
    const unfit = misfit(trees, parts, limits);
    if (unfit !== undefined) return { kind: 'full', why: unfit };
    try {
      for (const { slots } of trees) bases.push(heap.take(slots));
    } catch (error) {
      giveBack(trees, bases);
      return { kind: 'full', why: reasonOf(error) };
    }
    return bases;
  };
  const fill: Adoption['fill'] = (first, slots) => {
    words.set(slots, first * (SLOT_BYTES / 4));
    const offset = heapOffset + first * SLOT_BYTES;
    return { offset, bytes: new Uint8Array(region.buffer, region.byteOffset + offset, slots.byteLength) };
  };

  /** Brings what has changed since the snapshot into the new trees. */
  const catchUp = (transaction: Transaction, ids: Uint32Array): void => {
    const early = new Uint8Array(rows.count);
    for (const id of ids) early[id] = 1;
    const late: number[] = [];
    for (let row = 0; row < rows.count; row++) {
      if (rows.alive[row] === 1 && early[row] === 0 && isIn(row)) late.push(row);
    }
    transaction.rowsFreed.push(...placement.zombies);
    placement.zombies.clear();
    // Taken away since: the new trees know them yet. Their ids were kept from others, and each hides what it hid until its turn comes.
    const gone = ids.filter((row) => rows.alive[row] === 0);
    for (const row of gone) rows.alive[row] = 1;
    for (const row of gone) {
      rows.alive[row] = 0;
      placement.remove({ ...transaction, rowsFreed: [] }, row);
    }
    for (const row of late) placement.insert(transaction, row, 0);
  };

  return {
    snapshot() {
      const taken = takeSnapshot(copyRows(rows, isIn));
      opened = taken;
      return taken;
    },
    copy() {
      opened = { ids: new Uint32Array() };
      return copyRows(rows, isIn);
    },
    reserve,
    fill,
    adopt(
      trees: readonly (BuiltTree & Partial<Pick<Part, 'words'>>)[],
      reserved?: readonly number[],
      ids?: Uint32Array,
    ): Outcome {
      const exhausted = host.exhausted();
      if (exhausted !== undefined) return { kind: 'full', why: exhausted };
      if (opened === undefined) throw new RangeError('no snapshot was taken');
      const taken = ids ?? opened.ids;
      const bases = reserved ?? reserve(trees);
      if ('kind' in bases) {
        letGo();
        return bases;
      }
      const transaction = host.begin();
      if (reserved === undefined) {
        trees.forEach((tree, i) => {
          const { offset, bytes } = fill(bases[i]!, placeTree(tree.words!, tree.slots, bases[i]!, taken));
          transaction.wrote(offset, bytes.length);
        });
      }
      try {
        replaceTrees(transaction, parts.filter(isRuleTree), trees, bases, taken, partOf);
        catchUp(transaction, taken);
        letGo();
      } catch (error) {
        const why = reasonOf(error);
        host.exhaust(why);
        return { kind: 'full', why };
      }
      return host.finish(transaction);
    },
    abandon(trees = [], reserved = []) {
      giveBack(trees, reserved);
      letGo();
    },
    hold(free) {
      if (opened === undefined) return false;
      held.push(...free);
      return true;
    },
  };
}
