/** The cases of iptables' own test suite: accepted, refused, printed and deleted as they say. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { printRuleset } from '../../src/languages/iptables/print.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { SHARED, suite } from '../support/suite.ts';
import { familiesOf, readTFile, type TCase } from './t-file.ts';
import { T_MISSES } from './t-misses.ts';

/** What is wrong with the answer to a case, undefined if nothing is. */
function judge(test: TCase, family: Family): string | undefined {
  const append = `-A ${test.chain} ${test.rule}`;
  const where = `${family} line ${test.line}, ${test.chain}: ${test.rule}`;
  const { ruleset, diagnostics } = parseRuleset(inTable(test, append), family);
  if (ruleset === undefined) {
    return test.expect === 'FAIL' ? undefined : `${where}: refused: ${diagnostics[0]?.message}`;
  }
  if (test.expect === 'FAIL') return `${where}: accepted`;
  const lines = printRuleset(ruleset, { counters: false }).split('\n');
  const wanted = `-A ${test.chain}${test.save === '' ? '' : ` ${test.save}`}`;
  const printed = lines.find((line) => line.startsWith('-A')) ?? '';
  if (lines.includes(wanted) !== (test.expect === 'OK')) return `${where}: printed ${printed}`;
  // What is printed is the same rule, and so is what was written.
  for (const text of [printed, append]) {
    const deletion = parseRuleset(inTable(test, append, text.replace('-A', '-D')), family);
    if (deletion.ruleset === undefined) return `${where}: not deleted by ${text}: ${deletion.diagnostics[0]?.message}`;
  }
  return undefined;
}

function inTable({ table }: TCase, ...lines: readonly string[]): { readonly name: string; readonly text: string } {
  return { name: 'case', text: `*${table}\n${lines.join('\n')}\nCOMMIT\n` };
}

suite('iptables .t files', ['shared'], () => {
  const folder = join(SHARED, 'conformance', 'iptables');
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.t'))) {
    const cases = readTFile(readFileSync(join(folder, file), 'utf8'));
    const listed = T_MISSES.filter((miss) => miss.file === file).map((miss) => miss.rule);
    const results = familiesOf(file).flatMap((family) =>
      cases.map((test) => ({ rule: test.rule, wrong: judge(test, family) })),
    );
    const right = results.filter((result) => result.wrong === undefined).length;
    it(`${file}: ${right} of ${results.length} cases`, () => {
      expect(results.flatMap(({ rule, wrong }) => (listed.includes(rule) ? [] : (wrong ?? [])))).toEqual([]);
      const stale = listed.filter((rule) => !results.some((result) => result.rule === rule && result.wrong));
      expect(stale, 'listed as a miss, but right').toEqual([]);
    });
  }
});
