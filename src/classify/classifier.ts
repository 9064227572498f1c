/**
 * The search structure of a first-match list of boxes, chosen by what look-ups will cost.
 *
 *     linear   few rows: their rules as straight-line code
 *     parts    hash tables for large groups of the same shape, cut trees for the rest (an interval search is a cut tree
 *              over one dimension). The parts are asked one after the other; what has been found ends the search
 *              where every part left has only later rows
 */
import { type Cost, KEY_NS, linearCost } from './cost.ts';
import { buildForest } from './forest.ts';
import { findGroups } from './group.ts';
import { bucketOfKey } from './hash.ts';
import { encodeRecords, type LanePlan, type RecordTable } from './lanes.ts';
import { orderedPart } from './ordered.ts';
import { hashPart, type Part } from './part.ts';
import { partsCost } from './parts-cost.ts';
import { linearLookup, type Rows } from './rows.ts';
import { MAX_DIMENSIONS } from './slots.ts';
import { searchLeaf, type WalkCost, walkTree } from './walk.ts';

export interface Classifier {
  readonly rows: Rows;
  readonly plan: LanePlan;
  /** By the first row of each. */
  readonly parts: readonly Part[];
  readonly kind: 'linear' | 'parts';
  readonly cost: Cost;
}

/**
 * `auto`: whatever costs least. The others force one kind, for tests and measurements; `linear` is code, `ordered` the same list in memory (ordered.ts).
 */
export type Choice = 'auto' | 'linear' | 'trees' | 'hashes' | 'ordered';

/** Below this share of the rows a group is not worth a hash of its own. */
const GROUP_SHARE = 1 / 4;

/** @throws RangeError beyond MAX_DIMENSIONS */
export function buildClassifier(rows: Rows, choice: Choice = 'auto'): Classifier {
  const records = encodeRecords(rows);
  const { plan } = records;
  const all = Uint32Array.from({ length: rows.count }, (_, row) => row);
  const straight = linearCost(rows.count);
  const linear: Classifier = { rows, plan, parts: [], kind: 'linear', cost: straight };
  if (choice === 'linear' || rows.count === 0) return linear;
  if (choice === 'auto' && straight.nanoseconds <= KEY_NS + 8) return linear;
  const parts = buildParts(rows, records, all, choice);
  const { nanoseconds, bytes } = partsCost(parts, rows.count);
  const cost = { nanoseconds: nanoseconds + KEY_NS, bytes };
  if (choice === 'auto' && straight.nanoseconds <= cost.nanoseconds) return linear;
  return { rows, plan, parts, kind: 'parts', cost };
}

/** Parts of the rows `list` (ascending), by their first row; trees within `mostSlots` as far as that can be. @throws RangeError beyond MAX_DIMENSIONS */
export function buildParts(
  rows: Rows,
  records: RecordTable,
  list: Uint32Array,
  choice: Choice,
  mostSlots?: number,
): readonly Part[] {
  if (rows.max.length > MAX_DIMENSIONS) throw new RangeError(`more than ${MAX_DIMENSIONS} dimensions`);
  if (choice === 'ordered') return [orderedPart(rows, records)];
  const sorted = (parts: readonly Part[]): readonly Part[] => [...parts].sort((a, b) => a.firstRow - b.firstRow);
  if (choice === 'trees') return sorted(buildForest(rows, records, list, mostSlots));

  const least = choice === 'hashes' ? 1 : Math.max(32, list.length * GROUP_SHARE);
  const hashes: Part[] = [];
  for (const group of findGroups(rows, list, least).slice(0, 8)) {
    const part = hashPart(rows, records, group.list, group.dimensions);
    if (part !== undefined) hashes.push(part);
  }
  const taken = new Uint8Array(rows.count);
  for (const part of hashes) for (const row of part.list) taken[row] = 1;
  const left = list.filter((row) => taken[row] === 0);
  const mixed = hashes.length === 0 ? undefined : sorted([...hashes, ...buildForest(rows, records, left)]);
  // Nearly everything in one table: no tree is better.
  if (mixed !== undefined && (choice === 'hashes' || (left.length === 0 && hashes.length === 1))) return mixed;
  const trees = sorted(buildForest(rows, records, list));
  if (mixed === undefined) return trees;
  const cost = (parts: readonly Part[]): number => partsCost(parts, list.length).nanoseconds;
  return cost(mixed) <= cost(trees) ? mixed : trees;
}

/** The first row from `from` on that contains the key, or -1. Does what generated code does, on the same memory. */
export function lookup(classifier: Classifier, key: Uint32Array, from = 0, cost?: WalkCost): number {
  const { rows, parts } = classifier;
  if (cost !== undefined) cost.lookups++;
  if (classifier.kind === 'linear') return linearLookup(rows, key, from);
  let best = rows.count;
  for (const part of parts) {
    if (part.firstRow >= best) break;
    const root = part.hash === undefined ? 0 : bucketOfKey(part.hash, key);
    best = searchLeaf(part.words, walkTree(part.words, root, key, cost), rows, key, from, best, cost);
  }
  return best === rows.count ? -1 : best;
}
