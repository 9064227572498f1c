/**
 * Taking over what the kernel filters with: its tables become programs, with their counters, and are emptied. Until the
 * switch the kernel's rules filter alone, then both, then the programs: there is no moment without rules.
 */

import { MAP_NAMES } from '../codegen/compiled.ts';
import { KernelTablesError, restoreTables } from '../kernel/kernel-tables.ts';
import { nftTables, replaceNftTables } from '../kernel/nft-iptables.ts';
import { openPinnedMap } from '../kernel/object.ts';
import { parseRuleset } from '../languages/iptables/parse.ts';
import type { Family } from '../packet/netfilter.ts';
import type { Chain, Counters, Rule, Ruleset, Table } from '../rules/model.ts';
import type { Adoption } from './adoption.ts';
import { bridgeOf } from './effect-bridge.ts';
import { tableWithBridges } from './effect-rules.ts';
import { FirewallError } from './failure.ts';
import type { Layout } from './layout.ts';
import { blobFor, emptyTable, isEmpty, readLegacyTables, readTable, replaceTable, sameRules } from './legacy-tables.ts';
import { readRuleset } from './read.ts';
import type { FamilyState, GenerationState } from './state.ts';

/** What a family's packets are filtered by, outside bpfilter. */
export interface Adoptable {
  readonly family: Family;
  /** The kernel's own tables, or those that iptables-nft keeps in nf_tables. */
  readonly source: 'legacy' | 'nft';
  readonly tables: readonly Table[];
}

/** The rules of a family that could be adopted; undefined when there are none. @throws FirewallError */
export function findAdoptable(family: Family): Adoptable | undefined {
  const legacy = readLegacyTables(family).map(({ table }) => table);
  if (legacy.some((table) => !isEmpty(table))) return { family, source: 'legacy', tables: legacy };
  const nft = readNftTables(family);
  return nft.some((table) => !isEmpty(table)) ? { family, source: 'nft', tables: nft } : undefined;
}

function readNftTables(family: Family): readonly Table[] {
  const text = nftTables(family);
  const { ruleset, diagnostics } = parseRuleset({ name: `what iptables-nft keeps (${family})`, text }, family);
  if (ruleset === undefined)
    throw new FirewallError('failed', `the rules of iptables-nft cannot be read: ${diagnostics[0]?.message}`);
  return ruleset.tables.filter(({ name }) => name !== 'nat');
}

export function rulesetOf({ family, tables }: Adoptable): Ruleset {
  return { family, tables };
}

/** What the apply of these rules has to mind. */
export function adoptionOf(layout: Layout, adopted: readonly Adoptable[]): Adoption {
  return {
    keeps: (family, name) =>
      adopted.some(
        (item) =>
          item.family === family && item.source === 'legacy' && item.tables.some((table) => table.name === name),
      ),
    beforeSwitch(state) {
      for (const item of adopted) {
        const now = tablesNow(layout, item);
        for (const [at, table] of item.tables.entries()) {
          const live = now[at];
          if (live === undefined || live.name !== table.name || !sameRules(item.family, table, live))
            throw new FirewallError('failed', `the kernel's ${item.family} table ${table.name} was changed meanwhile`);
        }
        addCounted(layout, state, item, now);
      }
    },
    afterSwitch(state) {
      for (const item of adopted) emptyAdopted(layout, state, item);
    },
  };
}

function tablesNow(layout: Layout, { family, source, tables }: Adoptable): readonly Table[] {
  if (source === 'nft') return readNftTables(family);
  return tables.map(({ name }) => withoutBridges(readTable(family, name).table, layout.effects));
}

/** A table without what carries effects out: rules that ask a program pinned in `directory`, and chains of nothing else. */
function withoutBridges(table: Table, directory: string): Table {
  const bridges = ({ matches }: Rule): boolean =>
    matches.some(({ name, options }) => {
      const path = name === 'bpf' ? options['object-pinned']?.value : undefined;
      return path?.kind === 'text' && path.text.startsWith(`${directory}/`);
    });
  const chains = table.chains.flatMap((chain) => {
    const rules = chain.rules.filter((rule) => !bridges(rule));
    return rules.length === 0 && chain.rules.length > 0 && chain.policy === undefined ? [] : [{ ...chain, rules }];
  });
  return { ...table, chains };
}

/** Adds what the kernel has counted since the rules were read to the counters of the programs, which nothing runs yet. */
function addCounted(
  layout: Layout,
  state: GenerationState,
  { family, tables }: Adoptable,
  now: readonly Table[],
): void {
  const own = state.families[family];
  if (own?.maps.includes(MAP_NAMES.counters) !== true) return;
  const map = openPinnedMap(layout.generationMap(state.generation, family, MAP_NAMES.counters));
  try {
    const value = map.readValue();
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    for (const [at, table] of tables.entries()) {
      for (const [slot, counted] of countedSince(own, table, now[at]!)) {
        // Those of the first CPU.
        view.setBigUint64(16 * slot, view.getBigUint64(16 * slot, true) + counted.packets, true);
        view.setBigUint64(16 * slot + 8, view.getBigUint64(16 * slot + 8, true) + counted.bytes, true);
      }
    }
    map.writeValue(value);
  } finally {
    map.close();
  }
}

function countedSince(state: FamilyState, then: Table, now: Table): readonly (readonly [number, Counters])[] {
  const table = state.tables.find(({ name }) => name === then.name);
  if (table === undefined || table.placement === 'kernel') return [];
  return table.chains.flatMap(({ name, policy, rules }) => {
    const [before, after] = [then, now].map(({ chains }) => chains.find((chain) => chain.name === name)) as [
      Chain,
      Chain,
    ];
    return [
      ...(policy === undefined ? [] : [[policy, difference(after.counters, before.counters)] as const]),
      ...rules.map((slot, at) => [slot, difference(after.rules[at]!.counters, before.rules[at]!.counters)] as const),
    ];
  });
}

function difference(a: Counters, b: Counters): Counters {
  return { packets: BigInt.asUintN(64, a.packets - b.packets), bytes: BigInt.asUintN(64, a.bytes - b.bytes) };
}

/** Takes the rules out of the kernel's tables, except of those that stay there; those that carry effects out keep what they need for it. */
function emptyAdopted(layout: Layout, state: GenerationState, { family, source, tables }: Adoptable): void {
  const own = state.families[family];
  if (source === 'nft') {
    replaceNftTables(
      family,
      tables.map(({ name }) => name),
    );
    return;
  }
  for (const table of tables) {
    if (own?.tables.find(({ name }) => name === table.name)?.placement === 'kernel') continue;
    const bridge = bridgeOf(family, own, table.name);
    if (bridge === undefined) emptyUnlessChanged(family, table);
    else restore(family, tableWithBridges(table.name, [bridge], layout.effects));
  }
}

function emptyUnlessChanged(family: Family, table: Table): void {
  const live = readTable(family, table.name);
  if (!sameRules(family, live.table, table))
    throw new FirewallError('failed', `the kernel's ${family} table ${table.name} was changed and keeps its rules`);
  if (!isEmpty(live.table)) replaceTable(family, blobFor(family, emptyTable(table.name)), live.blob);
}

function restore(family: Family, text: string): void {
  try {
    restoreTables(family, text);
  } catch (error) {
    if (!(error instanceof KernelTablesError)) throw error;
    throw new FirewallError(error.busy ? 'denied' : 'failed', `changing ${family} tables failed`, { cause: error });
  }
}

/**
 * For a family that has rules in force: an adopt may have been interrupted after the switch, with the same rules still in the
 * kernel's tables. Those go. @returns whether the family has rules in force
 * @throws FirewallError when the kernel has other rules there
 */
export function finishAdopting(layout: Layout, state: GenerationState | undefined, family: Family): boolean {
  const own = state?.families[family];
  if (own === undefined) return false;
  const inForce = readRuleset(layout, family)?.ruleset.tables ?? [];
  for (const { table } of readLegacyTables(family)) {
    const placed = own.tables.find(({ name }) => name === table.name);
    const bridged = bridgeOf(family, own, table.name) !== undefined;
    if (isEmpty(table) || bridged || placed?.placement === 'kernel') continue;
    const ours = inForce.find(({ name }) => name === table.name);
    if (ours === undefined || !sameRules(family, ours, table))
      throw new FirewallError(
        'failed',
        `bpfilter has ${family} rules in force, and the kernel's table ${table.name} has others; release or flush the former first`,
      );
    emptyUnlessChanged(family, table);
  }
  return true;
}
