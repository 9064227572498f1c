import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quickRules } from '../../test/generate/quick-lines.ts';
import { parseRuleset } from '../languages/iptables/parse.ts';
import { lowerTable } from '../lowering/lower-table.ts';
import type { PolicyRule } from '../policy/ir.ts';
import { type PolicyColumns, policyColumnsOf } from '../policy/policy-columns.ts';
import { EXTRACT_OPTIONS, type ExtractOptions, extractRuns } from './extract.ts';
import { buildRunTable } from './run-table.ts';

function chainsOf(lines: readonly string[]): readonly (readonly [PolicyColumns, readonly PolicyRule[]])[] {
  const text = `*filter\n:OTHER - [0:0]\n${lines.join('\n')}\nCOMMIT\n`;
  const { ruleset } = parseRuleset({ name: 'rules', text }, 'ipv4');
  const { policy } = lowerTable(ruleset!.tables[0]!, 'ipv4');
  return policy!.chains.flatMap((chain) => {
    const columns = policyColumnsOf(chain);
    return columns === undefined ? [] : [[columns, chain.rules] as const];
  });
}

describe('rows of rules that are columns', () => {
  it('are the rows of the rules', () => {
    let runs = 0;
    const limits = fc.constantFrom<Partial<ExtractOptions>>(
      {},
      {},
      { minRules: 2 },
      { maxAxes: 2 },
      { maxRowsPerRule: 1 },
    );
    fc.assert(
      fc.property(quickRules, limits, (lines, limit) => {
        const options = { ...EXTRACT_OPTIONS, ...limit };
        for (const [columns, rules] of chainsOf(lines)) {
          const own = extractRuns(columns, options);
          expect(own).toEqual(extractRuns(rules, options));
          for (const run of own) {
            if (run.kind === 'linear') continue;
            runs++;
            const about = {
              choice: 'auto',
              counterOffset: ({ counter }: { counter: number }) => counter * 16,
            } as const;
            const [table, wanted] = [buildRunTable(columns, run, about), buildRunTable(rules, run, about)];
            expect(table?.shape).toEqual(wanted?.shape);
            expect(Buffer.compare(table?.region ?? Buffer.of(), wanted?.region ?? Buffer.of())).toBe(0);
          }
        }
      }),
      { numRuns: 150 },
    );
    expect(runs).toBeGreaterThan(50);
  });
});
