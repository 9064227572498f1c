/** Looking up in a region as generated code does, for tests, explanations and cost figures. */
import { bucketOfKey, type HashSpec } from '../hash.ts';
import { NO_ORDER, PAYLOAD, REGION, type RegionLayout } from '../image.ts';
import { type LanePlan, packKey, recordContains } from '../lanes.ts';
import { FIRST_ROW_WORD, LEAF_CONTINUES, NOTHING, SLOT_BYTES, SLOT_WORDS } from '../slots.ts';
import { type WalkCost, walkTree } from '../walk.ts';

/** What a place is for; how to begin there is part of the program. */
export interface Place {
  readonly place: number;
  /** 0: rules; n: guard n - 1. A look-up asks the places of one group. */
  readonly group: number;
  readonly hash?: HashSpec;
}

/** Where a look-up ended: a row, or -1, and its order. */
export interface Found {
  readonly row: number;
  readonly order: number;
}

/** The first row in order, not before `from`, that contains the key. */
export function lookupRegion(
  region: Uint32Array,
  layout: RegionLayout,
  plan: LanePlan,
  places: readonly Place[],
  key: Uint32Array,
  from = 0,
  cost?: WalkCost,
): Found {
  const heap = region.subarray(layout.heap / 4);
  const packed = packKey(plan, key);
  const active = region[REGION.active / 4]!;
  const descriptors = (REGION.descriptors + active * REGION.descriptorTable) / 4;
  const firstOrders = (REGION.firstOrders + active * REGION.firstOrderTable) / 4;
  let found: Found = { row: -1, order: NO_ORDER };
  if (cost !== undefined) cost.lookups++;
  for (const { place, hash } of places) {
    if (region[descriptors + 2 * place + 1] === 0 || region[firstOrders + place]! > found.order) continue;
    const root = region[descriptors + 2 * place]! + (hash === undefined ? 0 : bucketOfKey(hash, key));
    found = searchLeaf(walkTree(heap, root, key, cost));
  }
  return found;

  function searchLeaf(leaf: number): Found {
    for (let slot = leaf; ; slot++) {
      const at = slot * SLOT_WORDS;
      for (let i = FIRST_ROW_WORD; i < SLOT_WORDS; i++) {
        const row = heap[at + i]!;
        if (row === NOTHING) return found;
        if (cost !== undefined) cost.rows++;
        const record = heap[at + 1]! * SLOT_WORDS + (i - FIRST_ROW_WORD) * plan.words * 4;
        if (!recordContains(plan, heap, record, packed)) continue;
        const order = region[(REGION.payload + row * REGION.rowBytes + PAYLOAD.order) / 4]!;
        if (order >= from && order < found.order) return { row, order };
      }
      if ((heap[at]! & LEAF_CONTINUES) === 0) return found;
    }
  }
}

/** Slots of a region's heap. */
export function heapOf(region: Uint32Array, layout: RegionLayout): Uint32Array {
  return region.subarray(layout.heap / 4, layout.heap / 4 + (layout.heapSlots * SLOT_BYTES) / 4);
}
