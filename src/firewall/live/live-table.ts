/** The chains of a table as a warm process knows them: rules, counters, and which rule of which run each of them is. */

import type { LiveRun } from '../../classify/live/live-run.ts';
import { liveRunOf } from '../../classify/live/live-source.ts';
import { rankEntries } from '../../classify/live/parts.ts';
import type { RunShape } from '../../classify/shape.ts';
import type { ChainSegment } from '../../codegen/netfilter/lookup/plan.ts';
import { findMatch } from '../../extensions/registry.ts';
import type { Family, Hook, TableName } from '../../packet/netfilter.ts';
import { chainGraph, endsChain } from '../../rules/chain-graph.ts';
import type { Rule, Ruleset, Table } from '../../rules/model.ts';
import type { LookupTable } from '../plan.ts';
import type { FamilyState } from '../state.ts';

/** A rule in force. */
export interface LiveSlot {
  readonly rule: Rule;
  /** Its place in the counter map. */
  readonly counter: number;
  /** Its number in the run; -1: it is in none, or no packet can match it. */
  id: number;
  /** No rule behind it runs. */
  readonly ends: boolean;
}

/** Rules from..to) of a chain that a look-up decides. */
export interface LiveSegment {
  from: number;
  to: number;
  readonly map: string;
  readonly shape: RunShape;
  readonly run: LiveRun;
}

export interface LiveChain {
  readonly name: string;
  /** From which its first rule can be reached. */
  readonly hooks: readonly Hook[];
  rules: readonly LiveSlot[];
  readonly segments: readonly LiveSegment[];
}

export interface LiveTable {
  readonly family: Family;
  readonly name: TableName;
  readonly chains: ReadonlyMap<string, LiveChain>;
  /** Number of each chain, as jumps have it. */
  readonly numbers: ReadonlyMap<string, number>;
  /** The kernel tracks connections for it, and how many rules ask for that. */
  readonly tracks: boolean;
  trackers: number;
  readonly effects: boolean;
}

/** The tables of `lookups` that have runs. Their memory must not have changed since it was loaded. */
export function liveTables(
  ruleset: Ruleset,
  state: FamilyState,
  lookups: readonly LookupTable[],
): ReadonlyMap<TableName, LiveTable> {
  const tables = new Map<TableName, LiveTable>();
  for (const table of ruleset.tables) {
    const lookup = lookups.find((one) => one.table === table.name);
    const known = state.tables.find(({ name }) => name === table.name);
    if (lookup === undefined || lookup.runs.size === 0 || known?.placement !== 'bpf') continue;
    const counters = known.chains.map(({ rules }) => rules);
    tables.set(table.name, liveTable(table, ruleset.family, counters, lookup));
  }
  return tables;
}

function liveTable(
  table: Table,
  family: Family,
  counters: readonly (readonly number[])[],
  lookup: LookupTable,
): LiveTable {
  const graph = chainGraph(table, family);
  let trackers = 0;
  const chains = table.chains.map((chain, index): [string, LiveChain] => {
    const rules = chain.rules.map((rule, at) => {
      if (tracksConnections(rule, family)) trackers++;
      return { rule, counter: counters[index]![at]!, id: -1, ends: endsChain(rule, family) };
    });
    const segments = (lookup.runs.get(index) ?? []).flatMap((segment) => liveSegment(segment, rules));
    return [chain.name, { name: chain.name, hooks: graph.hooksOf(index, 0), rules, segments }];
  });
  return {
    family,
    name: table.name,
    chains: new Map(chains),
    numbers: new Map(table.chains.map(({ name }, index) => [name, index])),
    tracks: lookup.tracks,
    trackers,
    effects: lookup.effects,
  };
}

/** Gives the rules of a run their ids, which count those that have rows. */
function liveSegment(segment: ChainSegment, rules: readonly LiveSlot[]): readonly LiveSegment[] {
  if (segment.kind === 'linear') return [];
  const { from, to, table, map } = segment;
  const { rows, shape } = table;
  // Nothing can be put between the rows of an ordered part.
  if (shape.places.some(({ ordered }) => ordered === true)) return [];
  const ranked = rankEntries(rows).entry;
  for (let row = 0; row < rows.count; row++) rules[from + rows.entry[row]!]!.id = ranked[row]!;
  return [{ from, to, map, shape, run: liveRunOf(table) }];
}

/** Whether the kernel tracks connections because of a rule like this. Targets that ask for it are effects. */
export function tracksConnections(rule: Rule, family: Family): boolean {
  return rule.matches.some((match) => findMatch(match.name, family)?.conntrack === true);
}
