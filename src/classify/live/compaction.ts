/**
 * Building trees anew beside a run that goes on changing: a snapshot of the rows that lie in trees is turned into parts, by whoever has the
 * time (another thread, too), and the parts take the place of the old ones with one change.
 */
import type { Part } from '../part.ts';
import type { Rows } from '../rows.ts';
import type { LiveRows } from './live-rows.ts';
import type { LivePart } from './parts.ts';
import { isRuleTree } from './placement.ts';
import type { LiveLimits } from './tree.ts';

/** Rows in order, to be made into trees (`buildClassifier(rows, 'trees')`). */
export interface Snapshot {
  readonly rows: Rows;
  /** Which row of the run each of them is. */
  readonly ids: Uint32Array;
}

/** The rows of a run at some moment; plain memory, to be sent to another thread. */
export interface RowsCopy extends Pick<LiveRows, 'count' | 'max' | 'lo' | 'hi' | 'entry' | 'final' | 'order'> {
  /** 1: the row lies in a tree of rules. */
  readonly inTree: Uint8Array;
  /** Slots that the new trees should not exceed. */
  readonly mostSlots: number;
}

export function copyRows(rows: LiveRows, isIn: (row: number) => boolean, mostSlots: number): RowsCopy {
  const { count, max } = rows;
  const inTree = new Uint8Array(count);
  for (let row = 0; row < count; row++) if (rows.alive[row] === 1 && isIn(row)) inTree[row] = 1;
  const copy = (column: Uint32Array): Uint32Array => column.slice(0, count);
  return {
    ...{ count, max, inTree, mostSlots, lo: rows.lo.map(copy), hi: rows.hi.map(copy) },
    ...{ entry: copy(rows.entry), order: copy(rows.order), final: rows.final.slice(0, count) },
  };
}

/** The rows that lie in trees, in order. */
export function takeSnapshot({
  count,
  max,
  lo,
  hi,
  entry,
  order,
  final,
  inTree,
}: Omit<RowsCopy, 'mostSlots'>): Snapshot {
  // Order and id in one number of 53 bits: sorted without a function.
  const keys = new Float64Array(count);
  let taken = 0;
  for (let row = 0; row < count; row++) if (inTree[row] === 1) keys[taken++] = order[row]! * MOST_ROWS + row;
  const ids = Uint32Array.from(keys.subarray(0, taken).sort(), (key) => key % MOST_ROWS);
  const column = (from: Uint32Array): Uint32Array => ids.map((id) => from[id]!);
  const entries = new Uint32Array(taken);
  for (let i = 1; i < taken; i++) entries[i] = entries[i - 1]! + (entry[ids[i]!] === entry[ids[i - 1]!] ? 0 : 1);
  const ends = Uint8Array.from(ids, (id) => final[id]!);
  return { ids, rows: { count: taken, max, lo: lo.map(column), hi: hi.map(column), entry: entries, final: ends } };
}

const MOST_ROWS = 2 ** 21;

/** Why trees cannot take the place of a run's; undefined when they can. One place stays empty for what comes later. */
export function misfit(
  trees: readonly Pick<Part, 'depth' | 'longestLeaf' | 'hash'>[],
  places: readonly LivePart[],
  limits: LiveLimits,
): 'shape' | undefined {
  if (trees.length >= places.filter(isRuleTree).length) return 'shape';
  const fits = trees.every(
    ({ depth, longestLeaf, hash }) => hash === undefined && depth <= limits.levels && longestLeaf <= limits.leafSlots,
  );
  return fits ? undefined : 'shape';
}
