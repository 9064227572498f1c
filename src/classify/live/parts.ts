/** The parts of a run that changes, and the tables in which a look-up finds them. */
import { NO_ORDER, type PlacedPart, REGION } from '../image.ts';
import { createHashPart, type HashPart } from './hash-part.ts';
import type { LiveRows } from './live-rows.ts';
import type { TreePart } from './tree-part.ts';

export type LivePart = TreePart | HashPart;

/** The parts as the image has them, and the empty ones. */
export function startParts(
  source: { readonly parts: readonly PlacedPart[]; readonly spare: readonly number[] },
  rows: LiveRows,
  partOf: Int16Array,
  region: Uint32Array,
): readonly LivePart[] {
  const placed = source.parts.map(({ place, part }): LivePart => {
    for (const row of part.list) partOf[row] = place;
    const first = region[REGION.descriptors / 4 + 2 * place]!;
    const firstOrder = region[REGION.firstOrders / 4 + place]!;
    if (part.hash !== undefined) return createHashPart(place, part.hash, first, rows, part.list, firstOrder);
    return { kind: 'tree', place, root: first, rows: part.list.length, firstOrder, members: undefined };
  });
  const spare = source.spare.map(
    (place): TreePart => ({ kind: 'tree', place, root: -1, rows: 0, firstOrder: NO_ORDER, members: new Set() }),
  );
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
