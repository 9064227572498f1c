/** Ending all filtering in a namespace and removing every trace. */

import { acceptProgram } from '../codegen/netfilter/stub.ts';
import { waitForGracePeriod } from '../kernel/grace-period.ts';
import { openPinnedMap } from '../kernel/object.ts';
import { loadProgram, setProgramSlot } from '../kernel/program.ts';
import { FAMILIES, type Family, type TableName } from '../packet/netfilter.ts';
import { FirewallError } from './failure.ts';
import { emptyKernelTables } from './kernel-placed.ts';
import { GENERATION_MAP, type Layout, progIndex, slotOf } from './layout.ts';
import { needsOf } from './needs.ts';
import { type GenerationState, tablesInKernel } from './state.ts';
import {
  generationsPresent,
  openPersistentMaps,
  type PersistentMaps,
  readGeneration,
  readState,
  writeGeneration,
} from './store.ts';
import { removeEverything, undoKernelTables } from './tidy.ts';

/**
 * Idempotent, and works on whatever an interrupted apply or flush left. Trouble with the kernel's own tables does not
 * keep the rest from going; it is thrown at the end.
 */
export function flush(layout: Layout): void {
  const generation = readGeneration(layout);
  const state = generation === 0 ? undefined : readState(layout, generation);
  const troubles = [
    trouble(() => stopRecording(layout, state)),
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

/**
 * Programs that send packets to the kernel's tables accept from now on: a packet whose list nobody carries out any more would be
 * dropped by its guard. It is a courtesy: what cannot be opened does not keep anything from going.
 */
function stopRecording(layout: Layout, state: GenerationState | undefined): void {
  const { guarded } = needsOf(state);
  if (state === undefined || guarded.length === 0) return;
  let maps: PersistentMaps;
  try {
    maps = openPersistentMaps(layout);
  } catch {
    return;
  }
  try {
    const accept = loadProgram(acceptProgram(), maps.byName);
    try {
      for (const point of guarded) setProgramSlot(maps.progs, progIndex(slotOf(point), state.generation), accept);
    } finally {
      accept.close();
    }
  } finally {
    maps.close();
  }
  waitForGracePeriod();
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
