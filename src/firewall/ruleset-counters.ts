/** Rule sets with other counters. */

import type { TableName } from '../packet/netfilter.ts';
import { type Chain, type Counters, type Rule, type Ruleset, type Table, ZERO_COUNTERS } from '../rules/model.ts';
import { chainOfColumns, columnsOf, type RuleColumns } from '../rules/rule-columns.ts';

/** The same rules, every counter zero. */
export function withoutCounters(ruleset: Ruleset): Ruleset {
  return mapCounters(ruleset, () => ZERO_COUNTERS, zeroColumns);
}

function zeroColumns(columns: RuleColumns): RuleColumns {
  const zero = (rule: Rule): Rule => (rule.counters === ZERO_COUNTERS ? rule : { ...rule, counters: ZERO_COUNTERS });
  const { packets: _, bytes: __, ...rest } = columns;
  return Object.freeze({
    ...rest,
    others: new Map(Array.from(columns.others, ([at, rule]) => [at, zero(rule)])),
    rule: (at: number) => zero(columns.rule(at)),
  });
}

/** Which counter of a rule set: a rule's (0-based position) or a chain's policy. */
export interface CounterPlace {
  readonly table: TableName;
  readonly chain: string;
  readonly rule: number | 'policy';
}

/** The same rules with other counters; user chains have none. `ofColumns`: those of rules that are columns, or undefined to have objects made of them. */
export function mapCounters(
  ruleset: Ruleset,
  value: (place: CounterPlace, now: Counters) => Counters,
  ofColumns?: (columns: RuleColumns) => RuleColumns | undefined,
): Ruleset {
  const policyCounters = (table: Table, { name, policy, counters }: Chain): Counters =>
    policy === undefined ? ZERO_COUNTERS : value({ table: table.name, chain: name, rule: 'policy' }, counters);
  return {
    ...ruleset,
    tables: ruleset.tables.map((table) => ({
      ...table,
      chains: table.chains.map((chain): Chain => {
        const { name, policy, span } = chain;
        const counters = policyCounters(table, chain);
        const columns = ofColumns === undefined ? undefined : columnsOf(chain);
        const others = columns === undefined ? undefined : ofColumns?.(columns);
        if (others !== undefined) {
          const about = { name, ...(policy && { policy }), counters, ...(span && { span }) };
          return chainOfColumns(about, others);
        }
        const rules = chain.rules.map((rule, at): Rule => {
          const now = value({ table: table.name, chain: name, rule: at }, rule.counters);
          return now === rule.counters ? rule : { ...rule, counters: now };
        });
        return { ...chain, counters, rules };
      }),
    })),
  };
}
