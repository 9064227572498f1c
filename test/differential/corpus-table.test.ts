/** CORPUS.md says what is true now, and what is refused is refused for a reason that is true. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { printRuleset } from '../../src/languages/iptables/print.ts';
import { savedDifferences, withoutCounters } from '../support/saved.ts';
import { suite } from '../support/suite.ts';
import { type CorpusFile, corpusFiles } from './corpus.ts';
import { corpusTable } from './corpus-table.ts';
import { outcomeOf, reasonsOf } from './outcome.ts';

const PAGE = join(import.meta.dirname, 'CORPUS.md');

suite('the corpus without a kernel', ['shared'], () => {
  it('is described by CORPUS.md', () => {
    const page = corpusTable(corpusFiles());
    if (process.env['UPDATE_CORPUS_TABLE'] === '1') writeFileSync(PAGE, page);
    expect(readFileSync(PAGE, 'utf8')).toBe(page);
  });

  const files: readonly CorpusFile[] = corpusFiles();

  it.each(files.filter(({ accepted }) => accepted))('$name: what the kernel accepts applies', (file) => {
    const outcome = outcomeOf(file.name, file.text, file.family);
    if (outcome.kind === 'refused') {
      expect(reasonsOf(outcome.diagnostics)).toEqual([]);
      return;
    }
    const printed = printRuleset(outcome.ruleset, { counters: false });
    expect(savedDifferences(withoutCounters(printed), withoutCounters(file.legacySave ?? ''))).toEqual([]);
    const again = outcomeOf(file.name, printed, file.family);
    expect(again.kind === 'applies' ? printRuleset(again.ruleset, { counters: false }) : '').toBe(printed);
  });

  // Whether there is a set is asked of the kernel when the rules are applied.
  const faulty = files.filter(({ accepted, cause }) => !accepted && cause?.startsWith('environment') !== true);

  it.each(faulty)('$name: what the kernel refuses is refused', (file) => {
    const outcome = outcomeOf(file.name, file.text, file.family);
    expect(outcome.kind).toBe('refused');
  });
});
