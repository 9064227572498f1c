/**
 * The test cases of iptables 1.8.13 itself: what must be accepted, what refused, and how rules print. Cases of a match or
 * target that is not supported yet are counted, by its name.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findMatch, findTarget } from '../../src/extensions/registry.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { printRuleset } from '../../src/languages/iptables/print.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { SHARED, suite } from '../support/suite.ts';
import { familiesOf, readTFile, type TCase } from './t-file.ts';

/** What is wrong with the answer to a case, undefined if nothing is; `unsupported` names what is missing. */
function judge(test: TCase, family: Family): { readonly wrong?: string; readonly unsupported?: string } {
  const text = `*${test.table}\n-A ${test.chain} ${test.rule}\nCOMMIT\n`;
  const { ruleset, diagnostics } = parseRuleset({ name: 'case', text }, family);
  const where = `${family} line ${test.line}, ${test.chain}: ${test.rule}`;
  if (ruleset === undefined) {
    const missing = diagnostics.find((item) => item.code.startsWith('not-yet-supported-'));
    if (missing !== undefined) return { unsupported: missing.message };
    return test.expect === 'FAIL' ? {} : { wrong: `${where}: refused: ${diagnostics[0]?.message}` };
  }
  if (test.expect === 'FAIL') return { wrong: `${where}: accepted` };
  const lines = printRuleset(ruleset, { counters: false }).split('\n');
  const wanted = `-A ${test.chain}${test.save === '' ? '' : ` ${test.save}`}`;
  if (lines.includes(wanted) === (test.expect === 'OK')) return {};
  return { wrong: `${where}: printed ${lines.find((line) => line.startsWith('-A'))}` };
}

suite('iptables .t files', ['shared'], () => {
  const folder = join(SHARED, 'conformance', 'iptables');
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.t'))) {
    const cases = readTFile(readFileSync(join(folder, file), 'utf8'));
    const results = familiesOf(file).flatMap((family) => cases.map((test) => judge(test, family)));
    const unsupported = results.filter((result) => result.unsupported !== undefined);
    const missing = [...new Set(unsupported.map((result) => result.unsupported))].join(', ');
    const count = `${results.length - unsupported.length} of ${results.length}`;
    it(`${file}: ${count} cases${missing === '' ? '' : ` (${missing})`}`, () => {
      expect(results.flatMap((result) => result.wrong ?? [])).toEqual([]);
      const name = /_(.+)\.t$/.exec(file)?.[1] ?? '';
      const known = familiesOf(file).some((family) => findMatch(name, family) ?? findTarget(name, family));
      if (known) expect(missing).toBe('');
    });
  }
});
