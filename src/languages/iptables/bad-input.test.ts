/** Every option of every match and target with values that make no sense: an answer with a place, or a rule that is what it says. */

import { describe, expect, it } from 'vitest';
import type { MatchExtension, OptionSpec, TargetExtension } from '../../extensions/contract.ts';
import { MATCHES, TARGETS } from '../../extensions/registry.ts';
import { parseRuleset } from './parse.ts';
import { printRuleset } from './print.ts';

const VALUES: readonly string[] = [
  '',
  '0',
  '-1',
  '1',
  '18446744073709551616',
  '9'.repeat(900),
  'x',
  'x'.repeat(900),
  ',',
  ':',
  '/',
  '1:2:3',
  '1,,2',
  '0x',
  '1.2.3.4/33',
  '::1/129',
  '"\\"',
  '|',
  '=',
  '\u{1f525}',
];

const quote = (word: string): string => `"${word.replace(/["\\]/g, '\\$&')}"`;

function tableOf(extension: MatchExtension | TargetExtension): string {
  return extension.tables?.[0] ?? 'mangle';
}

/** The option alone, with a value for each word it takes. */
function ruleOf(extension: MatchExtension | TargetExtension, spec: OptionSpec, value: string): string {
  const protocol = extension.protocols === undefined ? '' : ` -p ${extension.protocols[0]}`;
  const words = Array.from({ length: Math.max(1, spec.value.words) }, () => ` ${quote(value)}`).join('');
  return `-A chain${protocol} -${extension.kind === 'match' ? 'm' : 'j'} ${extension.name} --${spec.name}${words}`;
}

const WITH_OPTIONS = [...MATCHES, ...TARGETS].filter(({ options }) => options.length > 0);

describe.each(WITH_OPTIONS)('$kind $name', (extension) => {
  const [family] = extension.families;
  const run = (rule: string) => {
    const text = `*${tableOf(extension)}\n:chain - [0:0]\n${rule}\nCOMMIT\n`;
    return parseRuleset({ name: 'case', text }, family ?? 'ipv4');
  };

  it.each(extension.options)('--$name', (spec) => {
    for (const value of VALUES) {
      const { ruleset, diagnostics } = run(ruleOf(extension, spec, value));
      if (ruleset === undefined) {
        expect(diagnostics.length).toBeGreaterThan(0);
        for (const { span, message } of diagnostics) expect(span, message).toBeDefined();
        continue;
      }
      const printed = printRuleset(ruleset, { counters: false });
      const again = parseRuleset({ name: 'again', text: printed }, ruleset.family);
      expect(again.diagnostics, printed).toEqual([]);
      if (again.ruleset !== undefined) expect(printRuleset(again.ruleset, { counters: false })).toBe(printed);
    }
  });
});
