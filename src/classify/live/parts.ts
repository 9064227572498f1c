/** The parts of a run that changes, and the tables in which a look-up finds them. */
import { NO_ORDER, type PlacedPart, REGION } from '../image.ts';
import type { Rows } from '../rows.ts';
import { createHashPart, type HashPart } from './hash-part.ts';
import type { LiveRows } from './live-rows.ts';
import type { TreePart } from './tree-part.ts';

export type LivePart = TreePart | HashPart;

/** Which places hold what; a guard's are from..to). */
export interface PartSource {
  readonly parts: readonly PlacedPart[];
  readonly spare: readonly number[];
  readonly guards: readonly { readonly from: number; readonly to: number }[];
}

/** The parts as the image has them, and the empty ones; of each row the place of its part. */
export function startParts(
  source: PartSource,
  rows: LiveRows,
  partOf: Int16Array,
  region: Uint32Array,
): readonly LivePart[] {
  const groupOf = (place: number): number => 1 + source.guards.findIndex(({ from, to }) => from <= place && place < to);
  const placed = source.parts.map(({ place, part }): LivePart => {
    for (const row of part.list) partOf[row] = place;
    const at = { place, group: groupOf(place) };
    const first = region[REGION.descriptors / 4 + 2 * place]!;
    const firstOrder = region[REGION.firstOrders / 4 + place]!;
    if (part.hash !== undefined) return createHashPart(at, part.hash, first, rows, part.list, firstOrder);
    return { kind: 'tree', ...at, root: first, rows: part.list.length, firstOrder, members: undefined };
  });
  const spare = source.spare.map((place): TreePart => {
    const at = { place, group: groupOf(place) };
    return { kind: 'tree', ...at, root: -1, rows: 0, firstOrder: NO_ORDER, members: new Set() };
  });
  return [...placed, ...spare];
}

/** Writes a table: as the table `active`, with the parts as they are now. */
export function writeTable(region: Uint32Array, parts: readonly LivePart[], active: number, table: number): void {
  const copy = (from: number, bytes: number): number => {
    region.copyWithin((from + table * bytes) / 4, (from + active * bytes) / 4, (from + (active + 1) * bytes) / 4);
    return (from + table * bytes) / 4;
  };
  const descriptors = copy(REGION.descriptors, REGION.descriptorTable);
  const firstOrders = copy(REGION.firstOrders, REGION.firstOrderTable);
  for (const part of parts) {
    const at = descriptors + 2 * part.place;
    region[at] = part.kind === 'hash' ? part.first : Math.max(0, part.root);
    region[at + 1] = part.kind === 'hash' ? 1 << part.hash.bits : part.root < 0 ? 0 : 1;
    region[firstOrders + part.place] = part.firstOrder;
  }
}

/** Numbers for the entries that have rows, in their order, and by row the number of its entry. */
export function rankEntries({ entry, count }: Rows): { readonly entry: Uint32Array; readonly rules: number } {
  let last = 0;
  for (let row = 0; row < count; row++) last = Math.max(last, entry[row]!);
  const rank = new Uint32Array(last + 2);
  for (let row = 0; row < count; row++) rank[entry[row]! + 1] = 1;
  for (let i = 1; i < rank.length; i++) rank[i] = rank[i]! + rank[i - 1]!;
  return { entry: entry.slice(0, count).map((at) => rank[at]!), rules: rank[last + 1]! };
}

/** 1: a guard's row. */
export function guardRowsOf({ parts, guards, rows }: PartSource & { readonly rows: Rows }): Uint8Array {
  const out = new Uint8Array(rows.count);
  for (const { place, part } of parts) {
    if (guards.some(({ from, to }) => from <= place && place < to)) for (const row of part.list) out[row] = 1;
  }
  return out;
}
