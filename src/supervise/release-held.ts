/**
 * Giving the kernel its tables back from what a supervisor knows of them, for a client that waits: nothing is read and compiled for it, and what the
 * programs leave behind is removed later, when nobody waits (`takeOver`, or any apply or flush). The order is that of firewall/release.ts.
 */

import type { Layout } from '../firewall/layout.ts';
import { GENERATION_MAP } from '../firewall/layout.ts';
import { addCounters, isEmpty, readTable, replaceTable } from '../firewall/legacy-tables.ts';
import { readGeneration, readStateInForce, writeGeneration } from '../firewall/store.ts';
import { waitForGracePeriod } from '../kernel/grace-period.ts';
import { legacyTables } from '../kernel/kernel-tables.ts';
import { openPinnedMap } from '../kernel/object.ts';
import { FAMILIES, type Family } from '../packet/netfilter.ts';
import type { HeldFamily } from './held-family.ts';

/**
 * Call it alone, in the namespace. False: something is there that takes more than this (firewall/release.ts), and nothing has changed.
 * @throws SyscallError, FirewallError, with the programs in force
 */
export function releaseHeld(layout: Layout, held: ReadonlyMap<Family, HeldFamily>): boolean {
  const state = readStateInForce(layout);
  const families = FAMILIES.filter((family) => state?.families[family] !== undefined);
  const generation = readGeneration(layout);
  if (!families.every((family) => held.get(family)?.isCurrent(layout, generation) === true)) return false;
  const bridged = families.some((family) =>
    state?.families[family]?.tables.some(
      (table) => table.placement === 'bpf' && table.hooks.some(({ bridge }) => bridge !== undefined),
    ),
  );
  if (bridged) return false;
  const tables = families.flatMap((family) => [...held.get(family)!.tables.values()]);
  if (tables.some(({ family, name }) => !isFree(family, name))) return false;
  for (const { family, name, blob } of tables) replaceTable(family, blob(), readTable(family, name).blob);
  const map = openPinnedMap(layout.map(GENERATION_MAP));
  try {
    writeGeneration(map, 0);
  } finally {
    map.close();
  }
  // What the kernel has counted until here, the programs have counted as well.
  const counted = tables.map(({ family, name }) => readTable(family, name).blob);
  waitForGracePeriod();
  for (const [at, table] of tables.entries()) addCounters(table.family, table.blob(), counted[at]);
  return true;
}

function isFree(family: Family, name: Parameters<typeof readTable>[1]): boolean {
  return !legacyTables(family).includes(name) || isEmpty(readTable(family, name).table);
}
