/**
 * Whether a change of rules can be made in the memory of a look-up, and what it then is. Pure. Whatever would change more than which rule
 * comes first, such as what the kernel has to do for the table or which rules are dead, is left to a new generation.
 */

import type { Edit, LiveRule } from '../../classify/live/change.ts';
import { liveRule } from '../../classify/live/live-rule.ts';
import { COUNTER_BYTES } from '../../codegen/netfilter/counters.ts';
import type { LowerContext } from '../../extensions/contract.ts';
import { checkTable } from '../../languages/iptables/check-table.ts';
import { createReport } from '../../languages/iptables/report.ts';
import { lowerRule } from '../../lowering/lower-rule.ts';
import type { TableName } from '../../packet/netfilter.ts';
import type { PolicyRule } from '../../policy/ir.ts';
import { endsChain } from '../../rules/chain-graph.ts';
import { type Rule, type Table, ZERO_COUNTERS } from '../../rules/model.ts';
import { type LiveChain, type LiveSegment, type LiveSlot, type LiveTable, tracksConnections } from './live-table.ts';

/** A change of one rule. `at` counts from 0, in the chain as the changes before have left it; an insert at the end appends. */
export type RuleEdit = {
  readonly table: TableName;
  readonly chain: string;
  readonly at: number;
} & ({ readonly kind: 'insert' | 'replace'; readonly rule: Rule } | { readonly kind: 'delete' });

export interface InPlace {
  readonly chain: LiveChain;
  readonly segment: LiveSegment;
  /** The chain behind it, and how many rules its run has more. */
  readonly rules: readonly LiveSlot[];
  readonly longer: number;
  /** Rules that are gone, and that are new; `edits` inserts the new ones that have rows, in this order. */
  readonly gone: readonly LiveSlot[];
  readonly added: readonly LiveSlot[];
  /** For each edit the place of its rule's counter, -1 for none. */
  readonly counters: readonly number[];
  readonly withRows: readonly LiveSlot[];
  readonly edits: readonly Edit[];
  readonly trackers: number;
}

/** `take` gives the place of a free counter, -1 when there is none; what was taken for nothing is left to the caller. Undefined: not in place. */
export function planInPlace(table: LiveTable, edits: readonly RuleEdit[], take: () => number): InPlace | undefined {
  const chain = table.chains.get(edits[0]!.chain);
  if (chain === undefined || chain.hooks.length === 0 || edits.some((edit) => edit.chain !== chain.name))
    return undefined;
  const found = chain.segments.flatMap((segment) => {
    const longer = growth(segment, edits);
    return longer === undefined ? [] : [{ segment, longer }];
  })[0];
  if (found === undefined) return undefined;
  const { segment, longer } = found;
  const rules = [...chain.rules];
  const gone: LiveSlot[] = [];
  const added = new Map<LiveSlot, LiveRule>();
  const counters = edits.map(() => -1);
  let { trackers } = table;
  for (const [index, edit] of edits.entries()) {
    if (edit.kind !== 'insert') {
      const slot = rules[edit.at]!;
      if (slot.ends && edit.at < rules.length - 1) return undefined;
      if (!added.delete(slot)) {
        if (lower(slot.rule, table, chain).held) return undefined;
        gone.push(slot);
      }
      if (tracksConnections(slot.rule, table.family)) trackers--;
      rules.splice(edit.at, 1);
    }
    if (edit.kind !== 'delete') {
      const slot = { rule: edit.rule, counter: take(), id: -1, ends: endsChain(edit.rule, table.family) };
      const what = slot.counter < 0 ? undefined : newRule(slot, edit.at, rules, table, chain, segment);
      if (what === undefined) return undefined;
      if (tracksConnections(slot.rule, table.family)) trackers++;
      counters[index] = slot.counter;
      added.set(slot, what);
      rules.splice(edit.at, 0, slot);
    }
  }
  // Without a rule that asks for it the kernel stops to track connections.
  if (table.trackers > 0 && trackers === 0) return undefined;
  const { list, withRows } = editsOf(rules, gone, added, segment.from, segment.to + longer);
  return { chain, segment, rules, longer, gone, added: [...added.keys()], counters, withRows, edits: list, trackers };
}

/** How many rules more the segment has behind the edits; undefined where one is outside of it. */
function growth({ from, to }: LiveSegment, edits: readonly RuleEdit[]): number | undefined {
  let end = to;
  for (const { kind, at } of edits) {
    if (at < from || at > end || (kind !== 'insert' && at === end)) return undefined;
    end += kind === 'insert' ? 1 : kind === 'delete' ? -1 : 0;
  }
  return end - to;
}

function newRule(
  slot: LiveSlot,
  at: number,
  rules: readonly LiveSlot[],
  table: LiveTable,
  chain: LiveChain,
  { shape }: LiveSegment,
): LiveRule | undefined {
  const { rule } = slot;
  // Dead rules, rules that make others dead, and what packets that effects have changed may be asked, are matters of the whole table.
  if (slot.ends && at < rules.length) return undefined;
  const end = rules.findIndex(({ ends }) => ends);
  if ((end !== -1 && at > end) || table.effects) return undefined;
  if (tracksConnections(rule, table.family) && !table.tracks) return undefined;
  const { target } = rule;
  if (target.kind === 'jump' || (target.kind === 'goto' && !table.numbers.has(target.chain))) return undefined;
  if (!allowedIn(rule, table, chain)) return undefined;
  const { policy, held, kept } = lower(rule, table, chain);
  if (policy === undefined || held || kept) return undefined;
  return liveRule(policy, shape, slot.counter * COUNTER_BYTES);
}

interface Lowered {
  /** Absent where it cannot be expressed. */
  readonly policy?: PolicyRule;
  /** The kernel, or a list or table with a name, is there because of it. */
  readonly held: boolean;
  /** It has memory, a log record or an effect. */
  readonly kept: boolean;
}

function lower(rule: Rule, table: LiveTable, chain: LiveChain): Lowered {
  let [held, kept] = [false, false];
  const keep = (): number => {
    kept = true;
    return 0;
  };
  const context: LowerContext = {
    family: table.family,
    table: table.name,
    ip: rule.ip,
    reachableFrom: chain.hooks,
    addState(state) {
      held ||= state.kind === 'recent' || state.kind === 'hashlimit';
      return keep();
    },
    addLog: keep,
    addEffect: keep,
    ask() {
      held = true;
      return undefined;
    },
    askHere() {
      held = true;
      return 0;
    },
  };
  const { conditions, action, diagnostics } = lowerRule(rule, table.numbers, context);
  if (diagnostics.some(({ severity }) => severity === 'error')) return { held, kept };
  const provenance = { chain: chain.name, rule: 0 };
  return { policy: { conditions, action, counter: 0, provenance }, held, kept };
}

/** Whether the kernel takes the rule in this place: as in a table where the chain is called from its hooks. */
function allowedIn(rule: Rule, table: LiveTable, chain: LiveChain): boolean {
  const call: Rule = { ip: {}, matches: [], target: { kind: 'jump', chain: chain.name }, counters: ZERO_COUNTERS };
  const base = chain.hooks.map((hook) => ({
    name: hook as string,
    policy: 'ACCEPT' as const,
    counters: ZERO_COUNTERS,
    rules: hook === chain.name ? [rule] : [call],
  }));
  const own = base.some(({ name }) => name === chain.name)
    ? []
    : [{ name: chain.name, counters: ZERO_COUNTERS, rules: [rule] }];
  const probe: Table = { name: table.name, chains: [...base, ...own] };
  const report = createReport({ name: 'a rule', text: '' });
  checkTable(probe, table.family, report);
  return report.found.every(({ severity }) => severity !== 'error');
}

/** What the run is told: the new rules from the first to the last, each before the next one that was there. */
function editsOf(
  rules: readonly LiveSlot[],
  gone: readonly LiveSlot[],
  added: ReadonlyMap<LiveSlot, LiveRule>,
  from: number,
  to: number,
): { readonly list: readonly Edit[]; readonly withRows: readonly LiveSlot[] } {
  const list: Edit[] = [];
  const withRows: LiveSlot[] = [];
  for (const slot of added.keys()) if (rowsOf(added.get(slot)!) > 0) withRows.push(slot);
  withRows.sort((a, b) => rules.indexOf(a) - rules.indexOf(b));
  for (const slot of withRows) {
    let next = rules.indexOf(slot) + 1;
    while (next < to && (rules[next]!.id < 0 || next < from)) next++;
    list.push({ kind: 'insert', rule: added.get(slot)!, ...(next < to ? { before: rules[next]!.id } : {}) });
  }
  for (const { id } of gone) if (id >= 0) list.push({ kind: 'remove', id });
  return { list, withRows };
}

function rowsOf({ boxes, guards = [] }: LiveRule): number {
  return boxes.length + guards.length;
}
