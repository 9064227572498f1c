/** Long and real rule sets, read quickly and thoroughly: the same rules, faults, text and policies. */
import { describe, expect, it } from 'vitest';
import { enlargeSet, readFilterSet } from '../../bench/classify-sets.ts';
import { iptablesText } from '../../bench/rivals/texts.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { printRuleset } from '../../src/languages/iptables/print.ts';
import { lowerTable } from '../../src/lowering/lower-table.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { ruleSequence } from '../../src/policy/policy-columns.ts';
import { columnsOf } from '../../src/rules/rule-columns.ts';
import { readCorpus } from './corpus.ts';

/** Compares the two ways, and tells how many rules were columns. */
function compare(text: string, family: Family): number {
  const source = { name: 'rules', text };
  const quick = parseRuleset(source, family);
  const thorough = parseRuleset(source, family, { thorough: true });
  expect(quick.diagnostics).toEqual(thorough.diagnostics);
  const [own, wanted] = [quick.ruleset ?? quick.readable, thorough.ruleset ?? thorough.readable];
  expect(printRuleset(own!, { counters: true })).toBe(printRuleset(wanted!, { counters: true }));
  let columns = 0;
  for (const [at, table] of own!.tables.entries()) {
    for (const chain of table.chains) {
      const found = columnsOf(chain);
      columns += found === undefined ? 0 : found.count - found.others.size;
    }
    if (quick.ruleset === undefined || table.name === 'nat') continue;
    const [policy, other] = [table, wanted!.tables[at]!].map((one) => lowerTable(one, family));
    expect(policy!.diagnostics).toEqual(other!.diagnostics);
    for (const [index, chain] of (policy!.policy?.chains ?? []).entries()) {
      const rules = ruleSequence(chain);
      const list = other!.policy!.chains[index]!.rules;
      expect(rules.length).toBe(list.length);
      for (const [place, rule] of list.entries()) expect(rules.at(place)).toEqual(rule);
    }
  }
  expect(own).toEqual(wanted);
  return columns;
}

describe('rule sets that are read quickly', () => {
  it.each(readCorpus().map(({ name, family, text }) => [name, family, text] as const))('%s', (_name, family, text) => {
    compare(text, family);
  });

  it.each(['acl1', 'fw1', 'ipc1'])('ClassBench %s, and with faults in the middle', (name) => {
    const set = enlargeSet(readFilterSet(`${name}_1k`), 3000);
    const text = iptablesText(set.filters, 'ipv4');
    expect(compare(text, 'ipv4')).toBeGreaterThan(2000);
    const lines = text.split('\n');
    lines[500] += ' --dport x';
    lines[1000] = lines[1000]!.replace('-s', '--sorce');
    lines[1500] = lines[1500]!.replace(/\d+\.\d+/, '300.1');
    expect(compare(lines.join('\n'), 'ipv4')).toBeGreaterThan(2000);
    compare(iptablesText(set.filters, 'ipv6'), 'ipv6');
  });
});
