/** -S: the commands that would make the chains and rules. */

import type { Family } from '../../../packet/netfilter.ts';
import type { Counters, Rule, Table } from '../../../rules/model.ts';
import { ruleWords } from '../print-rule.ts';

/** The named chain or all; undefined: there is no such chain. With `counters` as -v has them. */
export function listRules(
  table: Table,
  family: Family,
  counters: boolean,
  only: string | undefined,
  number: number,
): string | undefined {
  const chains = table.chains.filter((chain) => only === undefined || chain.name === only);
  if (chains.length === 0) return undefined;
  const lines: string[] = [];
  if (number === 0) {
    for (const chain of chains) {
      lines.push(
        chain.policy === undefined
          ? `-N ${chain.name}`
          : `-P ${chain.name} ${chain.policy}${counters ? given(chain.counters) : ''}`,
      );
    }
  }
  for (const chain of chains) {
    for (const [at, rule] of chain.rules.entries()) {
      if (number === 0 || number === at + 1) {
        lines.push(
          `-A ${chain.name}${counters ? wordsWithCounters(rule, family, table) : ruleWords(rule, family, table.name)}`,
        );
      }
    }
  }
  return lines.map((line) => `${line}\n`).join('');
}

function given({ packets, bytes }: Counters): string {
  return ` -c ${packets} ${bytes}`;
}

/** The counters stand between matches and target. */
function wordsWithCounters(rule: Rule, family: Family, table: Table): string {
  const all = ruleWords(rule, family, table.name);
  const matches = ruleWords({ ...rule, target: { kind: 'none' } }, family, table.name);
  return matches + given(rule.counters) + all.slice(matches.length);
}
