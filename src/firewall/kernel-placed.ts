/** The tables that stay with the kernel's own iptables: testing, changing, putting back, emptying, reading. */

import { formatDiagnostic } from '../diagnostics/diagnostic.ts';
import {
  emptyTableText,
  type KernelTable,
  KernelTablesError,
  replaceTables,
  restoreTables,
  saveTable,
} from '../kernel/kernel-tables.ts';
import { parseRuleset } from '../languages/iptables/parse.ts';
import { printRuleset } from '../languages/iptables/print.ts';
import { FAMILIES, type Family, type TableName } from '../packet/netfilter.ts';
import type { Ruleset, Table } from '../rules/model.ts';
import type { Adoption } from './adoption.ts';
import { bridgeOf } from './effect-bridge.ts';
import { tableWithBridges } from './effect-rules.ts';
import { FirewallError } from './failure.ts';
import type { Layout } from './layout.ts';
import type { FamilyPlan } from './plan.ts';
import { type FamilyState, type GenerationState, kernelTablesOf, tablesInKernel } from './state.ts';
import { type Undo, writeUndo } from './undo.ts';

/** Asks the system's iptables whether it takes the tables of these plans. Changes no rule. */
export function testKernelTables(plans: readonly FamilyPlan[]): void {
  for (const { family, kernelTables } of plans) {
    for (const { name, text } of kernelTables) {
      attempt(`table ${name} (${family}) cannot be loaded`, () =>
        restoreTables(family, text, { counters: true, test: true }),
      );
    }
  }
}

/**
 * Loads the plans' kernel tables. A note of how they were is pinned with the generation first. Returns a function that puts
 * everything back; throws with everything put back.
 *
 * What the generation in force has in them besides, bridges included, stays until the new one is in force (`settleKernelTables`):
 * whatever takes its place does nothing before.
 */
export function changeKernelTables(
  layout: Layout,
  plans: readonly FamilyPlan[],
  state: GenerationState,
  previous: GenerationState | undefined,
  adoption?: Pick<Adoption, 'keeps'>,
): () => void {
  const changes = plans
    .map(({ family, ...plan }) => ({
      family,
      tables: plan.state.tables.flatMap(({ name, placement }) => {
        const own = plan.kernelTables.find((table) => table.name === name)?.text;
        // What is adopted stands there already, and goes on to count.
        const stays = adoption?.keeps(family, name) === true;
        const rules = placement === 'kernel' && !stays ? own : undefined;
        const text = textBeforeSwitch(layout, family, name, rules, state, previous, stays);
        return text === undefined ? [] : [{ table: name, text }];
      }),
    }))
    .filter(({ tables }) => tables.length > 0);
  const undone: (() => void)[] = [];
  const putBack = (): void => {
    for (const undo of undone.splice(0).reverse()) undo();
  };
  if (changes.length === 0) return putBack;

  writeUndo(
    layout,
    state.generation,
    Object.fromEntries(changes.map(({ family, tables }) => [family, snapshot(family, tables)])),
  );
  try {
    for (const { family, tables } of changes) {
      const names = tables.map(({ table }) => table).join(' and ');
      undone.push(
        attempt(`loading ${names} (${family}) failed`, () => replaceTables(family, tables, { counters: true })),
      );
    }
  } catch (error) {
    putBack();
    throw error;
  }
  return putBack;
}

/** What a table must hold when the switch comes: new and old bridges, and the rules of whichever generation has them there. */
function textBeforeSwitch(
  layout: Layout,
  family: Family,
  name: TableName,
  rules: string | undefined,
  state: GenerationState,
  previous: GenerationState | undefined,
  adopted: boolean,
): string | undefined {
  const bridge = bridgeOf(family, state.families[family], name);
  if (rules === undefined && bridge === undefined) return undefined;
  const old = bridgeOf(family, previous?.families[family], name);
  const bridges = [old, bridge].flatMap((item) => item ?? []);
  const there = adopted || kernelTablesOf(previous, family).includes(name);
  const stays = rules ?? (there ? saveTable(family, name) : undefined);
  return bridges.length === 0 ? rules : tableWithBridges(name, bridges, layout.effects, stays);
}

/** Makes the kernel's tables what `inForce` needs, where the generation before it had something in them. */
export function settleKernelTables(layout: Layout, old: GenerationState, inForce: GenerationState): void {
  for (const family of FAMILIES) {
    const now = inForce.families[family];
    if (now?.madeBy === old.families[family]?.madeBy) continue;
    const texts = tablesInKernel(old, family).flatMap((name) => {
      const bridge = bridgeOf(family, now, name);
      if (bridge !== undefined) return [tableWithBridges(name, [bridge], layout.effects)];
      if (!kernelTablesOf(inForce, family).includes(name)) return [emptyTableText(name)];
      return kernelTablesOf(old, family).includes(name) ? [] : [ownText(now!, family, name)];
    });
    if (texts.length > 0) {
      attempt(`clearing the old ${family} tables failed`, () =>
        restoreTables(family, texts.join(''), { counters: true }),
      );
    }
  }
}

/** A table as it was applied. */
function ownText(state: FamilyState, family: Family, name: TableName): string {
  const { ruleset } = parseRuleset({ name: 'the rules in force', text: state.text }, family);
  const tables = ruleset?.tables.filter((table) => table.name === name) ?? [];
  return printRuleset({ family, tables }, { counters: true });
}

function snapshot(family: Family, tables: readonly KernelTable[]): string {
  return tables.map(({ table }) => saveTable(family, table) ?? emptyTableText(table)).join('');
}

/** Restores what a note says. */
export function applyUndo(undo: Undo): void {
  for (const family of FAMILIES) {
    const text = undo[family];
    if (text === undefined) continue;
    attempt(`putting back ${family} tables failed`, () => restoreTables(family, text, { counters: true }));
  }
}

/** Empties tables that we loaded: built-in chains only, policy ACCEPT. */
export function emptyKernelTables(family: Family, tables: readonly TableName[]): void {
  const text = tables.map(emptyTableText).join('');
  if (text !== '') attempt(`emptying ${tables.join(' and ')} (${family}) failed`, () => restoreTables(family, text));
}

export interface KernelTablesRead {
  readonly ruleset: Ruleset;
  /** Tables whose rules could not be read; the rule set has them as they were applied. */
  readonly warnings: readonly string[];
}

/** The rule set with its kernel tables as the kernel has them now: rules and counters. */
export function withKernelTables(ruleset: Ruleset, state: FamilyState): KernelTablesRead {
  const kernel = state.tables.filter((table) => table.placement === 'kernel').map((table) => table.name);
  const warnings: string[] = [];
  const tables = ruleset.tables.map((table) => {
    if (!kernel.includes(table.name)) return table;
    const live = readTable(ruleset.family, table.name);
    if ('table' in live) return live.table;
    warnings.push(`table ${table.name} (${ruleset.family}) is shown as it was applied: ${live.why}`);
    return table;
  });
  return { ruleset: { ...ruleset, tables }, warnings };
}

function readTable(family: Family, name: TableName): { readonly table: Table } | { readonly why: string } {
  let text: string | undefined;
  try {
    text = saveTable(family, name);
  } catch (error) {
    if (!(error instanceof KernelTablesError)) throw error;
    return { why: error.message };
  }
  if (text === undefined) return { why: 'the kernel no longer has it' };
  const { ruleset, diagnostics } = parseRuleset({ name: `${name} of the kernel`, text }, family);
  const table = ruleset?.tables.find((item) => item.name === name);
  const [first] = diagnostics;
  return table !== undefined ? { table } : { why: first === undefined ? 'it is empty' : formatDiagnostic(first) };
}

function attempt<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof KernelTablesError)) throw error;
    const kind = error.busy ? 'denied' : error.missing ? 'unsupported' : 'failed';
    throw new FirewallError(kind, what, { cause: error });
  }
}
