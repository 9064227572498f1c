/** Rule sets as iptables-legacy-save writes them, without its `#` lines. */

import type { Family } from '../../packet/netfilter.ts';
import type { Ruleset, Table } from '../../rules/model.ts';
import { columnsOf } from '../../rules/rule-columns.ts';
import { formatCounters } from './counters.ts';
import { printColumns } from './print-columns.ts';
import { ruleWords } from './print-rule.ts';

export interface PrintOptions {
  /** Counters of rules as well (`-c`); those of policies are always there. */
  readonly counters: boolean;
  /**
   * `given` (default): tables as they stand in the rule set, so that printing and reading again changes nothing.
   * `newest-first`: the way iptables-legacy-save lists the tables of a file that was loaded into an empty namespace.
   * The kernel puts each new table at the head of its list (xt_register_table), and /proc/net/ip_tables_names, which
   * iptables-save follows, starts there.
   */
  readonly tables?: 'given' | 'newest-first';
}

/** The text of a whole rule set, every line ended; empty without tables. */
export function printRuleset(ruleset: Ruleset, options: PrintOptions): string {
  const tables = options.tables === 'newest-first' ? [...ruleset.tables].reverse() : ruleset.tables;
  return tables.map((table) => printTable(table, ruleset.family, options)).join('');
}

/** The text of one table, from `*NAME` to `COMMIT`. */
export function printTable(table: Table, family: Family, options: Pick<PrintOptions, 'counters'>): string {
  const lines = [`*${table.name}`];
  for (const chain of table.chains) {
    lines.push(`:${chain.name} ${chain.policy ?? '-'} ${formatCounters(chain.counters)}`);
  }
  for (const chain of table.chains) {
    const columns = columnsOf(chain);
    if (columns !== undefined) {
      printColumns(columns, chain.name, { family, table: table.name, counters: options.counters }, lines);
      continue;
    }
    for (const rule of chain.rules) {
      const counters = options.counters ? `${formatCounters(rule.counters)} ` : '';
      lines.push(`${counters}-A ${chain.name}${ruleWords(rule, family, table.name)}`);
    }
  }
  lines.push('COMMIT', '');
  return lines.join('\n');
}
