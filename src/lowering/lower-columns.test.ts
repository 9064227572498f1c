import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quickRules } from '../../test/generate/quick-lines.ts';
import { parseRuleset } from '../languages/iptables/parse.ts';
import type { TablePolicy } from '../policy/ir.ts';
import { differentRules, policyColumnsOf, ruleSequence } from '../policy/policy-columns.ts';
import { lowerTable } from './lower-table.ts';

function lowered(lines: readonly string[], thorough: boolean): TablePolicy {
  const text = `*filter\n:OTHER - [0:0]\n${lines.join('\n')}\nCOMMIT\n`;
  const { ruleset } = parseRuleset({ name: 'rules', text }, 'ipv4', { thorough });
  return lowerTable(ruleset!.tables[0]!, 'ipv4').policy!;
}

describe('chains of columns', () => {
  it('are lowered to what their rules are lowered to', () => {
    let columns = 0;
    fc.assert(
      fc.property(quickRules, (lines) => {
        const [quick, thorough] = [lowered(lines, false), lowered(lines, true)];
        columns += quick.chains.filter((chain) => (policyColumnsOf(chain)?.kinds.length ?? 0) > 0).length;
        for (const [at, chain] of quick.chains.entries()) {
          const rules = ruleSequence(chain);
          const wanted = thorough.chains[at]!.rules;
          expect(Array.from({ length: rules.length }, (_, index) => rules.at(index))).toEqual(wanted);
          const actions = (list: readonly { action: unknown }[]) =>
            new Set(list.map((rule) => JSON.stringify(rule.action)));
          expect([...actions(differentRules(chain))]).toEqual([...actions(wanted)]);
        }
        expect(quick).toEqual(thorough);
      }),
      { numRuns: 300 },
    );
    expect(columns).toBeGreaterThan(100);
  });
});
