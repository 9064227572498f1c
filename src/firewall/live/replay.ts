/** The rules in force from the text of a state and the journal behind it. Pure. */

import { parseRuleset } from '../../languages/iptables/parse.ts';
import { printTable } from '../../languages/iptables/print.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { Chain, Rule, Ruleset } from '../../rules/model.ts';
import type { ChainState, FamilyState } from '../state.ts';
import type { JournalEntry } from './journal.ts';

export interface Replayed {
  readonly ruleset: Ruleset;
  /** The state with the counters of the rules as they are now; its text is that of old. */
  readonly state: FamilyState;
}

/** Carries out the entries on the rules of `state`. @throws Error for entries of another state */
export function replay(ruleset: Ruleset, state: FamilyState, entries: readonly JournalEntry[]): Replayed {
  if (entries.length === 0) return { ruleset, state };
  const lines = rulesOf(ruleset, entries);
  const changed = new Map<string, { rules: Rule[]; counters: number[] }>();
  const key = (table: string, chain: string): string => `${table} ${chain}`;
  for (const table of ruleset.tables) {
    const known = state.tables.find(({ name }) => name === table.name);
    if (known?.placement !== 'bpf') continue;
    const used = new Set(entries.filter((entry) => entry.table === table.name).map(({ chain }) => chain));
    for (const { name, rules } of table.chains) {
      if (!used.has(name)) continue;
      const { rules: counters = [] } = known.chains.find((chain) => chain.name === name) ?? {};
      changed.set(key(table.name, name), { rules: [...rules], counters: [...counters] });
    }
  }
  for (const { table, chain, edits } of entries) {
    const list = changed.get(key(table, chain));
    if (list === undefined) throw new Error(`the journal names a chain ${chain} that table ${table} has not`);
    for (const edit of edits) {
      const gone = edit.kind === 'insert' ? 0 : 1;
      const rules = edit.kind === 'delete' ? [] : [lines.next(table, chain)];
      list.rules.splice(edit.at, gone, ...rules);
      list.counters.splice(edit.at, gone, ...(edit.kind === 'delete' ? [] : [edit.counter]));
    }
  }
  const tables = ruleset.tables.map((table) => ({
    ...table,
    chains: table.chains.map((chain): Chain => {
      const rules = changed.get(key(table.name, chain.name))?.rules;
      return rules === undefined ? chain : { ...chain, rules };
    }),
  }));
  const states = state.tables.map((table) => {
    if (table.placement === 'kernel') return table;
    const chains = table.chains.map((chain): ChainState => {
      const rules = changed.get(key(table.name, chain.name))?.counters;
      return rules === undefined ? chain : { ...chain, rules };
    });
    return { ...table, chains };
  });
  return { ruleset: { ...ruleset, tables }, state: { ...state, tables: states } };
}

/** The rules that the entries bring, chain by chain in their order: all are read at once. */
function rulesOf(
  { family, tables }: Ruleset,
  entries: readonly JournalEntry[],
): { next(table: string, chain: string): Rule } {
  const texts = tables.map((table) => {
    const lines = entries
      .filter((entry) => entry.table === table.name)
      .flatMap(({ edits }) => edits.flatMap((edit) => (edit.kind === 'delete' ? [] : [`${edit.line}\n`])));
    const bare = { ...table, chains: table.chains.map((chain) => ({ ...chain, rules: [] })) };
    return lines.length === 0
      ? ''
      : printTable(bare, family, { counters: true }).replace(/COMMIT\n$/, `${lines.join('')}COMMIT\n`);
  });
  const read = parseJournalText(texts.join(''), family);
  const queues = new Map(
    read.tables.flatMap((table) =>
      table.chains.map(({ name, rules }) => [`${table.name} ${name}`, [...rules].reverse()]),
    ),
  );
  return {
    next(table, chain) {
      const rule = queues.get(`${table} ${chain}`)?.pop();
      if (rule === undefined) throw new Error('the journal has fewer rules than entries');
      return rule;
    },
  };
}

function parseJournalText(text: string, family: Family): Ruleset {
  const { ruleset } = parseRuleset({ name: 'the journal', text }, family);
  if (ruleset === undefined) throw new Error('the rules of the journal cannot be read back');
  return ruleset;
}
