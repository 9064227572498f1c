/** Real rule sets: read, printed and refused as iptables-legacy does. */

import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.ts';
import { positionOf } from '../../src/diagnostics/source.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { type PrintOptions, printRuleset } from '../../src/languages/iptables/print.ts';
import { suite } from '../support/suite.ts';
import { type CorpusFile, readCorpus } from './corpus.ts';

const notSupported = (item: Diagnostic): boolean => item.code.startsWith('not-yet-supported-');

function print(file: CorpusFile, text: string, options: PrintOptions): string {
  const { ruleset, diagnostics } = parseRuleset({ name: file.name, text }, file.family);
  if (ruleset === undefined) throw new Error(diagnostics.map((item) => item.message).join('\n'));
  return printRuleset(ruleset, options);
}

suite('corpus', ['shared'], () => {
  const files = readCorpus();
  const results = files.map((file) => ({
    file,
    ...parseRuleset({ name: file.name, text: file.text }, file.family),
  }));

  describe('what iptables accepts', () => {
    for (const { file, ruleset, diagnostics } of results.filter((result) => result.file.saved !== undefined)) {
      if (ruleset === undefined) {
        const names = [...new Set(diagnostics.map((item) => item.message))].join(', ');
        it(`${file.name}: refused for nothing but what is not supported yet (${names})`, () => {
          expect(diagnostics.filter((item) => !notSupported(item))).toEqual([]);
        });
        continue;
      }
      it(`${file.name} prints as iptables-legacy-save`, () => {
        expect(printRuleset(ruleset, { counters: false, tables: 'newest-first' })).toBe(file.saved);
        const once = printRuleset(ruleset, { counters: true });
        expect(print(file, once, { counters: true })).toBe(once);
      });
    }
  });

  describe('what iptables refuses', () => {
    for (const { file, ruleset, diagnostics } of results.filter((result) => result.file.saved === undefined)) {
      it(`${file.name}: ${file.cause}`, () => {
        // Whether there is a device or a set is none of the language's business.
        if (file.cause?.startsWith('environment') === true) {
          expect(diagnostics).toEqual([]);
          return;
        }
        expect(ruleset).toBeUndefined();
        const lines = diagnostics
          .filter((item) => !notSupported(item))
          .map(({ span }) => (span === undefined ? 0 : positionOf(span.source, span.start).line));
        expect(lines[0]).toBe(file.line);
      });
    }
  });
});
