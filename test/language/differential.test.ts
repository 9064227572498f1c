/** Rule lines, whole and damaged, through iptables-legacy-restore in a namespace and through ours: same answer, same print. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { SEED } from '../support/budget.ts';
import { SHARED, suite } from '../support/suite.ts';
import { badLines } from './bad-values.ts';
import { beginComparing, compareWithLegacy, endComparing } from './legacy-answers.ts';
import { makeLine } from './mutate.ts';
import { createRandom } from './random.ts';
import { seedLines } from './seeds.ts';

const LINES = Number(process.env['LANGUAGE_LINES'] ?? 1500);
const BAD_VALUES = Number(process.env['LANGUAGE_BAD_VALUES'] ?? 600);

suite('iptables-legacy-restore', ['root', 'ip', 'iptables'], () => {
  beforeAll(beginComparing);
  afterAll(endComparing);

  it(`answers ${LINES} lines as we do`, { timeout: 60_000 + LINES * 60 }, () => {
    const seeds = seedLines(SHARED);
    const differences: string[] = [];
    for (let number = 0; number < LINES; number++) {
      const { family, line } = makeLine(number, seeds);
      // A line end would make two lines of it, a NUL half a one.
      const difference = /[\n\0]/.test(line) ? undefined : compareWithLegacy(line, family);
      if (difference !== undefined) differences.push(difference);
    }
    expect(differences).toEqual([]);
  });

  it(`answers ${BAD_VALUES} bad values of options as we do`, { timeout: 60_000 + BAD_VALUES * 60 }, () => {
    const random = createRandom(SEED);
    const lines = badLines();
    const differences: string[] = [];
    for (let left = BAD_VALUES; left > 0; left--) {
      const { option, wrong, text, family, table } = random.pick(lines);
      const difference = compareWithLegacy(text, family, table);
      if (difference !== undefined) differences.push(`${option}, ${wrong}: ${difference}`);
    }
    expect(differences).toEqual([]);
  });
});
