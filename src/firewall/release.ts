/**
 * Giving what bpfilter filters with back to the kernel: the rules go into its own tables, with their counters, then the
 * programs go. The kernel's rules are in force before the programs are not.
 */

import type { TableBlob } from '../abi/format.ts';
import { waitForGracePeriod } from '../kernel/grace-period.ts';
import { KernelTablesError, legacyTables, restoreTables } from '../kernel/kernel-tables.ts';
import { openPinnedMap } from '../kernel/object.ts';
import { printRuleset } from '../languages/iptables/print.ts';
import { FAMILIES, type Family } from '../packet/netfilter.ts';
import type { Table } from '../rules/model.ts';
import { bridgeOf } from './effect-bridge.ts';
import { type TableBridge, tableWithBridges } from './effect-rules.ts';
import { FirewallError } from './failure.ts';
import { GENERATION_MAP, type Layout } from './layout.ts';
import { addCounters, blobFor, emptyTable, isEmpty, readTable, replaceTable, sameRules } from './legacy-tables.ts';
import { liveRuleset } from './read.ts';
import type { GenerationState } from './state.ts';
import { readStateInForce, writeGeneration } from './store.ts';
import { removeEverything, undoKernelTables } from './tidy.ts';

/** A table that runs as programs and goes back. */
interface Returning {
  readonly family: Family;
  readonly table: Table;
  readonly blob: TableBlob;
  readonly bridge: TableBridge | undefined;
}

/**
 * Call it alone, in the namespace. @returns whether there was anything to give back
 * @throws FirewallError with the programs in force: a rule that has no binary form, or rules of somebody else in the way
 */
export function release(layout: Layout): boolean {
  const state = readStateInForce(layout);
  undoKernelTables(layout, state?.generation ?? 0);
  if (state === undefined) {
    removeEverything(layout);
    return false;
  }
  const returning = FAMILIES.flatMap((family) => tablesReturning(layout, state, family));
  for (const item of returning) refuseForeign(item);
  load(layout, returning);
  stop(layout);
  // What the kernel has counted until here, the programs have counted as well.
  const counted = returning.map(({ family, table }) => readTable(family, table.name).blob);
  waitForGracePeriod();
  const final = FAMILIES.flatMap((family) => tablesReturning(layout, state, family));
  for (const [at, { family, blob, bridge }] of final.entries()) {
    if (bridge === undefined) addCounters(family, blob, counted[at]);
    else {
      replaceTable(family, blob, counted[at]!);
      addCounters(family, blob);
    }
  }
  removeEverything(layout);
  return true;
}

function tablesReturning(layout: Layout, state: GenerationState, family: Family): readonly Returning[] {
  const own = state.families[family];
  if (own === undefined) return [];
  const { ruleset } = liveRuleset(layout, state.generation, family, own);
  return ruleset.tables.flatMap((table) => {
    if (own.tables.find(({ name }) => name === table.name)?.placement !== 'bpf') return [];
    return [{ family, table, blob: blobFor(family, table), bridge: bridgeOf(family, own, table.name) }];
  });
}

/** What the kernel has in its table besides would be lost. The very rules may be there: of a release that was interrupted. */
function refuseForeign({ family, table, bridge }: Returning): void {
  if (bridge !== undefined || !legacyTables(family).includes(table.name)) return;
  const there = readTable(family, table.name).table;
  if (!isEmpty(there) && !sameRules(family, there, table))
    throw new FirewallError(
      'failed',
      `the kernel's ${family} table ${table.name} has rules of its own, which would be lost`,
    );
}

/** Puts all rules into the kernel's tables; when one is refused, those before it go again. */
function load(layout: Layout, returning: readonly Returning[]): void {
  const undone: (() => void)[] = [];
  try {
    for (const item of returning) undone.push(loadTable(layout, item));
  } catch (error) {
    for (const undo of undone.reverse()) undo();
    if (!(error instanceof KernelTablesError)) throw error;
    throw new FirewallError(error.busy ? 'denied' : 'failed', 'the kernel did not take the rules', { cause: error });
  }
}

function loadTable(layout: Layout, { family, table, blob, bridge }: Returning): () => void {
  if (bridge !== undefined) {
    // Until the programs have stopped, what carries their effects out must stay in front.
    const text = printRuleset({ family, tables: [table] }, { counters: false });
    restoreTables(family, tableWithBridges(table.name, [bridge], layout.effects, text));
    return () => restoreTables(family, tableWithBridges(table.name, [bridge], layout.effects));
  }
  replaceTable(family, blob, readTable(family, table.name).blob);
  return () => replaceTable(family, blobFor(family, emptyTable(table.name)), blob);
}

/** From this write on every stub accepts. */
function stop(layout: Layout): void {
  const map = openPinnedMap(layout.map(GENERATION_MAP));
  try {
    writeGeneration(map, 0);
  } finally {
    map.close();
  }
}
