/** One rule as its line in iptables-save, without the chain. */

import { printRuleset } from '../languages/iptables/print.ts';
import type { Family, TableName } from '../packet/netfilter.ts';
import { type Rule, ZERO_COUNTERS } from '../rules/model.ts';

export function ruleWords(family: Family, table: TableName, chain: string, rule: Rule): string {
  const ruleset = {
    family,
    tables: [{ name: table, chains: [{ name: chain, counters: ZERO_COUNTERS, rules: [rule] }] }],
  };
  const start = `-A ${chain}`;
  const line = printRuleset(ruleset, { counters: false })
    .split('\n')
    .find((text) => text.startsWith(start));
  return (line ?? '').slice(start.length).trim();
}
