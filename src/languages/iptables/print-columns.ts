/** Lines of rules that are columns: those that were written as iptables-save writes them are taken from their source. */
import type { Family, TableName } from '../../packet/netfilter.ts';
import type { RuleColumns } from '../../rules/rule-columns.ts';
import { formatCounters } from './counters.ts';
import { ruleWords } from './print-rule.ts';

export interface PrintedAs {
  readonly family: Family;
  readonly table: TableName;
  readonly counters: boolean;
}

/** Adds the lines of a chain's rules. */
export function printColumns(columns: RuleColumns, chain: string, as: PrintedAs, lines: string[]): void {
  const { count, asWritten, start, end, source, packets, bytes } = columns;
  const { text } = source;
  for (let at = 0; at < count; at++) {
    const written = asWritten[at]!;
    if (written === 0) {
      const rule = columns.rule(at);
      const counters = as.counters ? `${formatCounters(rule.counters)} ` : '';
      lines.push(`${counters}-A ${chain}${ruleWords(rule, as.family, as.table)}`);
      continue;
    }
    const words = text.slice(start[at]! + written - 1, end[at]!);
    if (!as.counters) lines.push(words);
    else lines.push(`[${packets?.[at] ?? 0}:${bytes?.[at] ?? 0}] ${words}`);
  }
}
