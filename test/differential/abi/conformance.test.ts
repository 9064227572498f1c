/** Every rule of iptables' own test suite and of the corpus that the installed iptables-legacy takes, through the binary form. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Family, TableName } from '../../../src/packet/netfilter.ts';
import { readCorpus } from '../../language/corpus.ts';
import { familiesOf, readTFile, type TCase } from '../../language/t-file.ts';
import { SHARED, suite } from '../../support/suite.ts';
import { beginAbi, endAbi, throughKernel } from './through-kernel.ts';

interface Tally {
  same: number;
  refused: number;
  readonly wrong: string[];
}

/** Cases in one table at once; those that do not go through together are divided until the culprits stand alone. */
function tryCases(cases: readonly TCase[], family: Family, table: TableName, tally: Tally): void {
  const rules = cases.map((test) => `-A ${test.chain} ${test.rule}`);
  const result = throughKernel(`*${table}\n${rules.join('\n')}\nCOMMIT\n`, family, table);
  if (result.kind === 'same') tally.same += cases.length;
  else if (cases.length > 1) {
    const half = cases.length >> 1;
    tryCases(cases.slice(0, half), family, table, tally);
    tryCases(cases.slice(half), family, table, tally);
  } else if (result.kind === 'refused') tally.refused++;
  else tally.wrong.push(`${family} ${rules[0]}: ${result.why}`);
}

suite('the binary form of .t cases', ['root', 'ip', 'iptables', 'shared'], () => {
  beforeAll(beginAbi);
  afterAll(endAbi);

  const folder = join(SHARED, 'conformance', 'iptables');
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.t') && familiesOf(name).length > 0)) {
    it(file, () => {
      const tally: Tally = { same: 0, refused: 0, wrong: [] };
      const cases = readTFile(readFileSync(join(folder, file), 'utf8')).filter((test) => test.expect === 'OK');
      for (const family of familiesOf(file)) {
        for (const table of new Set(cases.map((test) => test.table))) {
          const own = cases.filter((test) => test.table === table);
          const different = own.filter((test, at) => own.findIndex((other) => other.rule === test.rule) === at);
          tryCases(different, family, table, tally);
        }
      }
      expect(tally.wrong).toEqual([]);
    });
  }
});

suite('the binary form of the corpus', ['root', 'ip', 'iptables', 'shared'], () => {
  beforeAll(beginAbi);
  afterAll(endAbi);

  for (const { name, family, saved } of readCorpus()) {
    if (saved === undefined) continue;
    it(name, () => {
      const wrong = saved.split(/^(?=\*)/m).flatMap((part) => {
        const table = /^\*(\w+)/.exec(part)?.[1];
        if (table === undefined) return [];
        const result = throughKernel(part, family, table as TableName);
        return result.kind === 'wrong' ? [`${table}: ${result.why}`] : [];
      });
      expect(wrong).toEqual([]);
    });
  }
});
