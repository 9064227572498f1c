/**
 * Lists and tables that rules share by name (policy/named.ts) cannot be in two places: a table whose rules name something that a
 * table of the kernel's own names, too, has to stay with the kernel as well.
 */

import type { Family, TableName } from '../packet/netfilter.ts';
import { tableKey } from '../policy/named.ts';
import type { Rule, Ruleset } from '../rules/model.ts';
import { differentRules } from '../rules/rule-columns.ts';

/** Keys (tableKey) of everything that rules of these tables name. */
export function namesIn(ruleset: Ruleset, tables: readonly TableName[]): ReadonlySet<string> {
  const rules = ruleset.tables
    .filter((table) => tables.includes(table.name))
    .flatMap((table) => table.chains.flatMap(differentRules));
  return new Set(rules.flatMap((rule) => namesOfRule(rule, ruleset.family)));
}

/** The tables of `candidates` that name something in `taken`, or that other tables of the rule set name, and what. */
export function clashes(
  ruleset: Ruleset,
  candidates: readonly TableName[],
  taken: ReadonlySet<string>,
): readonly { readonly table: TableName; readonly name: string }[] {
  const others = ruleset.tables.map((table) => table.name).filter((name) => !candidates.includes(name));
  const elsewhere = new Set([...taken, ...namesIn(ruleset, others)]);
  return candidates.flatMap((table) => {
    const name = [...namesIn(ruleset, [table])].find((key) => elsewhere.has(key));
    return name === undefined ? [] : [{ table, name }];
  });
}

const NAME_OPTIONS = { recent: 'name', hashlimit: 'hashlimit-name' } as const;

function namesOfRule(rule: Rule, family: Family): readonly string[] {
  return rule.matches.flatMap((match) => {
    if (match.name !== 'recent' && match.name !== 'hashlimit') return [];
    const value = match.options[NAME_OPTIONS[match.name]]?.value;
    return value?.kind === 'text' ? [tableKey({ kind: match.name, name: value.text, family })] : [];
  });
}
