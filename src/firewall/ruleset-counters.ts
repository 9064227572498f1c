/** Rule sets with other counters. */

import type { TableName } from '../packet/netfilter.ts';
import { type Counters, type Rule, type Ruleset, ZERO_COUNTERS } from '../rules/model.ts';

/** The same rules, every counter zero. */
export function withoutCounters(ruleset: Ruleset): Ruleset {
  return mapCounters(ruleset, () => ZERO_COUNTERS);
}

/** Which counter of a rule set: a rule's (0-based position) or a chain's policy. */
export interface CounterPlace {
  readonly table: TableName;
  readonly chain: string;
  readonly rule: number | 'policy';
}

/** The same rules with other counters; user chains have none. */
export function mapCounters(ruleset: Ruleset, value: (place: CounterPlace, now: Counters) => Counters): Ruleset {
  return {
    ...ruleset,
    tables: ruleset.tables.map((table) => ({
      ...table,
      chains: table.chains.map((chain) => ({
        ...chain,
        counters:
          chain.policy === undefined
            ? ZERO_COUNTERS
            : value({ table: table.name, chain: chain.name, rule: 'policy' }, chain.counters),
        rules: chain.rules.map((rule, at): Rule => {
          const counters = value({ table: table.name, chain: chain.name, rule: at }, rule.counters);
          return counters === rule.counters ? rule : { ...rule, counters };
        }),
      })),
    })),
  };
}
