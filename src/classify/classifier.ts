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
import { encodeRecords, type LanePlan } from './lanes.ts';
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

/** `auto`: whatever costs least. The others force one kind, for tests and measurements. */
export type Choice = 'auto' | 'linear' | 'trees' | 'hashes';

/** Below this share of the rows a group is not worth a hash of its own. */
const GROUP_SHARE = 1 / 4;

/** @throws RangeError beyond MAX_DIMENSIONS */
export function buildClassifier(rows: Rows, choice: Choice = 'auto'): Classifier {
  if (rows.max.length > MAX_DIMENSIONS) throw new RangeError(`more than ${MAX_DIMENSIONS} dimensions`);
  const records = encodeRecords(rows);
  const all = Uint32Array.from({ length: rows.count }, (_, row) => row);
  const linear = linearCost(rows.count);
  const finish = (parts: readonly Part[]): Classifier => {
    const sorted = [...parts].sort((a, b) => a.firstRow - b.firstRow);
    const { nanoseconds, bytes } = partsCost(sorted, rows.count);
    return {
      rows,
      plan: records.plan,
      parts: sorted,
      kind: 'parts',
      cost: { nanoseconds: nanoseconds + KEY_NS, bytes },
    };
  };
  const straight: Classifier = { rows, plan: records.plan, parts: [], kind: 'linear', cost: linear };
  if (choice === 'linear' || rows.count === 0) return straight;
  if (choice === 'auto' && linear.nanoseconds <= KEY_NS + 8) return straight;
  if (choice === 'trees') return finish(buildForest(rows, records, all));

  const least = choice === 'hashes' ? 1 : Math.max(32, rows.count * GROUP_SHARE);
  const hashes: Part[] = [];
  for (const group of findGroups(rows, all, least).slice(0, 8)) {
    const part = hashPart(rows, records, group.list, group.dimensions);
    if (part !== undefined) hashes.push(part);
  }
  const taken = new Uint8Array(rows.count);
  for (const part of hashes) for (const row of part.list) taken[row] = 1;
  const left = all.filter((row) => taken[row] === 0);
  const mixed = hashes.length === 0 ? undefined : finish([...hashes, ...buildForest(rows, records, left)]);
  if (choice === 'hashes' && mixed !== undefined) return mixed;
  // Nearly everything in one table: no tree is better.
  if (mixed !== undefined && left.length === 0 && hashes.length === 1) return cheaper(straight, mixed);
  const trees = finish(buildForest(rows, records, all));
  return cheaper(straight, mixed === undefined ? trees : cheaper(mixed, trees));
}

function cheaper(a: Classifier, b: Classifier): Classifier {
  return a.cost.nanoseconds <= b.cost.nanoseconds ? a : b;
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
