/** Ending all filtering in a namespace and removing every trace. */

import { openPinnedMap } from '../kernel/object.ts';
import { FAMILIES } from '../packet/netfilter.ts';
import { emptyKernelTables } from './kernel-placed.ts';
import { GENERATION_MAP, type Layout } from './layout.ts';
import { kernelTablesOf } from './state.ts';
import { readGeneration, readState, writeGeneration } from './store.ts';
import { removeEverything, undoKernelTables } from './tidy.ts';

/** Idempotent, and works on whatever an interrupted apply or flush left. */
export function flush(layout: Layout): void {
  const generation = readGeneration(layout);
  undoKernelTables(layout, generation);
  const state = generation === 0 ? undefined : readState(layout, generation);
  for (const family of FAMILIES) emptyKernelTables(family, kernelTablesOf(state, family));
  if (generation !== 0) {
    // One write ends filtering on all hooks; what follows only removes what no packet reaches.
    const map = openPinnedMap(layout.map(GENERATION_MAP));
    try {
      writeGeneration(map, 0);
    } finally {
      map.close();
    }
  }
  removeEverything(layout);
}
