/** A family whose rules run as programs, for a supervisor: its tables as clients see them, and changes of single rules in memory. */

import { decodeRule } from '../abi/decode.ts';
import type { TableBlob } from '../abi/format.ts';
import { MAP_NAMES } from '../codegen/compiled.ts';
import { indexesOf, keyOf } from '../firewall/carry-counters.ts';
import type { Layout } from '../firewall/layout.ts';
import { blobFor } from '../firewall/legacy-tables.ts';
import { type FamilyView, openFamilyView, viewOfPlan } from '../firewall/live/family-view.ts';
import type { RuleEdit } from '../firewall/live/in-place.ts';
import { type WarmFamily, warmFamily } from '../firewall/live/warm.ts';
import type { FamilyPlan } from '../firewall/plan.ts';
import type { FamilyState } from '../firewall/state.ts';
import { readGeneration } from '../firewall/store.ts';
import { openMapMemory } from '../kernel/map-memory.ts';
import { openPinnedMap } from '../kernel/object.ts';
import type { Family, TableName } from '../packet/netfilter.ts';
import { type Rule, ZERO_COUNTERS } from '../rules/model.ts';
import { type CounterStrides, counterStrides } from './counter-strides.ts';
import { type ChainChange, HeldTable } from './held-table.ts';

/** Owns mapped memory. */
export interface HeldFamily {
  readonly state: FamilyState;
  /** Tables that run as programs. */
  readonly tables: ReadonlyMap<TableName, HeldTable>;
  /** Whether these are the rules in force; `now` is the generation that is. */
  isCurrent(layout: Layout, now: number): boolean;
  /** Changes rules of one chain in memory and follows; false: that cannot be, and nothing has changed. Call it alone. */
  change(table: HeldTable, blob: TableBlob, change: ChainChange): boolean;
  close(): void;
}

/** Of the rules in force; nothing of them can be changed in memory. Undefined: there are none. Call it in the namespace. */
export function openHeldFamily(layout: Layout, family: Family): HeldFamily | undefined {
  const view = openFamilyView(layout, family);
  return view === undefined ? undefined : held(layout, readGeneration(layout), view, undefined);
}

/** Of a plan that has just gone into force as this generation. Call it in the namespace. */
export function heldOfPlan(layout: Layout, generation: number, plan: FamilyPlan): HeldFamily {
  const view = viewOfPlan(layout, generation, plan.ruleset, { madeBy: generation, ...plan.state });
  return held(layout, generation, view, warmFamily(layout, generation, plan));
}

function held(layout: Layout, generation: number, view: FamilyView, warm: WarmFamily | undefined): HeldFamily {
  const { state, ruleset } = view;
  const { family } = ruleset;
  let known = generation;
  const counters = openCounters(layout, generation, family, state);
  const indexes = indexesOf(state);
  const tables = new Map<TableName, HeldTable>();
  for (const table of counters === undefined ? [] : ruleset.tables) {
    if (state.tables.find(({ name }) => name === table.name)?.placement !== 'bpf') continue;
    const slotOf = (chain: string, rule: number | 'policy'): number =>
      indexes.get(keyOf({ table: table.name, chain, rule })) ?? -1;
    tables.set(table.name, new HeldTable(blobFor(family, table), table.name, family, slotOf, counters!));
  }
  return {
    state,
    tables,
    isCurrent(where, now) {
      if (now === known && warm !== undefined) return warm.untouched;
      if (now === 0 || !(warm ?? view).isCurrent(where)) return false;
      known = now;
      return true;
    },
    change(table, blob, change) {
      const edits = warm === undefined ? undefined : editsOf(table, change);
      if (warm === undefined || edits === undefined || !warm.change(edits)) return false;
      const rules = warm.tables.get(table.name)?.chains.get(change.chain)?.rules ?? [];
      const slots = change.added.map((_entry, index) => rules[change.at + index]!.counter);
      table.follow(blob, change, slots);
      return true;
    },
    close() {
      view.close();
      warm?.close();
      counters?.close();
    },
  };
}

function openCounters(
  layout: Layout,
  generation: number,
  family: Family,
  { maps, counterStride, cpus }: FamilyState,
): CounterStrides | undefined {
  if (!maps.includes(MAP_NAMES.counters)) return undefined;
  const map = openPinnedMap(layout.generationMap(generation, family, MAP_NAMES.counters));
  try {
    return counterStrides(openMapMemory(map), counterStride, cpus);
  } finally {
    map.close();
  }
}

/** More rules at once are quicker compiled. */
const MOST = 64;

/** Undefined: some rule only the whole table can say, or the kernel would not take it. */
function editsOf(table: HeldTable, change: ChainChange): readonly RuleEdit[] | undefined {
  const { chain, at, gone, added, reached } = change;
  if (gone + added.length > MOST) return undefined;
  const place = { table: table.name, chain };
  const rules: Rule[] = [];
  for (const { bytes, offset } of added) {
    const decoded = decodeRule(bytes, { family: table.family, table: table.name, offset, reached });
    if ('problem' in decoded) return undefined;
    rules.push({ ...decoded.rule, counters: ZERO_COUNTERS });
  }
  return [
    ...rules.map((rule, index): RuleEdit => {
      return { ...place, kind: index < gone ? 'replace' : 'insert', at: at + index, rule };
    }),
    ...Array.from({ length: Math.max(0, gone - rules.length) }, (): RuleEdit => {
      return { ...place, kind: 'delete', at: at + rules.length };
    }),
  ];
}
