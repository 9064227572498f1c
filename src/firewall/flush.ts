/** Ending all filtering in a namespace and removing every trace. */

import { openPinnedMap } from '../kernel/object.ts';
import { FAMILIES, type Family, type TableName } from '../packet/netfilter.ts';
import { FirewallError } from './failure.ts';
import { emptyKernelTables } from './kernel-placed.ts';
import { GENERATION_MAP, type Layout } from './layout.ts';
import { tablesInKernel } from './state.ts';
import { generationsPresent, readGeneration, readState, writeGeneration } from './store.ts';
import { removeEverything, undoKernelTables } from './tidy.ts';

/**
 * Idempotent, and works on whatever an interrupted apply or flush left. Trouble with the kernel's own tables does not
 * keep the rest from going; it is thrown at the end.
 */
export function flush(layout: Layout): void {
  const generation = readGeneration(layout);
  const troubles = [
    trouble(() => undoKernelTables(layout, generation)),
    ...FAMILIES.map((family) => trouble(() => emptyKernelTables(family, tablesLoaded(layout, generation, family)))),
  ].flatMap((error) => error ?? []);
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
  const [first] = troubles;
  if (first !== undefined) throw first;
}

/** Kernel tables of the generation in force and of earlier ones that an interrupted apply has not cleared away. */
function tablesLoaded(layout: Layout, inForce: number, family: Family): readonly TableName[] {
  const generations = generationsPresent(layout).filter((generation) => generation <= inForce);
  const tables = generations.flatMap((generation) => tablesInKernel(readState(layout, generation), family));
  return [...new Set(tables)];
}

function trouble(action: () => void): FirewallError | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof FirewallError) return error;
    throw error;
  }
}
