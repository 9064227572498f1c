/** Bad values of every option: a message at a place, or exactly the rule that was written; never anything else. */

import { expect, it } from 'vitest';
import { CATALOGUE } from '../../src/diagnostics/catalogue.ts';
import { MATCHES, TARGETS } from '../../src/extensions/registry.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { printRuleset } from '../../src/languages/iptables/print.ts';
import { type Family, TABLE_HOOKS, type TableName } from '../../src/packet/netfilter.ts';
import { type BadLine, badLines, optionName, optionSites } from './bad-values.ts';
import { optionLines } from './option-lines.ts';

function fileOf(table: TableName, line: string): string {
  const policies = TABLE_HOOKS[table].hooks.map((hook) => `:${hook} ACCEPT [0:0]\n`).join('');
  return `*${table}\n${policies}${line}\nCOMMIT\n`;
}

function read(table: TableName, line: string, family: Family) {
  return parseRuleset({ name: 'line', text: fileOf(table, line) }, family);
}

/** What is wrong with the answer to a bad line; undefined when nothing is. */
function complaint({ family, table, text }: BadLine): string | undefined {
  const { ruleset, diagnostics } = read(table, text, family);
  const from = fileOf(table, text).indexOf(text);
  for (const { code, span, message } of diagnostics) {
    if (!Object.hasOwn(CATALOGUE, code)) return `code ${code}`;
    if (span === undefined) return `no place for: ${message}`;
    if (span.start < from || span.end > from + text.length || span.start >= span.end)
      return `${span.start}...${span.end} is not in the line: ${message}`;
    if (/undefined|NaN|%\w+%|\[object/.test(message.replace(text, ''))) return `message: ${message}`;
  }
  const refused = diagnostics.some((item) => item.severity === 'error');
  if (ruleset === undefined) return refused ? undefined : 'no rules and no error';
  if (refused) return 'rules in spite of an error';
  const once = printRuleset(ruleset, { counters: true });
  const again = parseRuleset({ name: 'printed', text: once }, family);
  if (again.ruleset === undefined) return `printed as ${once}, which is refused: ${again.diagnostics[0]?.message}`;
  const twice = printRuleset(again.ruleset, { counters: true });
  return once === twice ? undefined : `printed as ${once}, then as ${twice}`;
}

it('has a good rule for every option of every match and target', () => {
  const refused = optionLines().flatMap(({ family, table, text }) =>
    read(table, text, family).diagnostics.map((item) => `${family} ${text}: ${item.message}`),
  );
  expect(refused).toEqual([]);
  const given = new Set(optionSites().map((site) => `${site.line.family} ${optionName(site.extension, site.spec)}`));
  const all = [...MATCHES, ...TARGETS].flatMap((extension) =>
    extension.families.flatMap((family) => extension.options.map((spec) => `${family} ${optionName(extension, spec)}`)),
  );
  expect(all.filter((name) => !given.has(name))).toEqual([]);
});

it('answers every bad value with a place and a code, or takes it for what it prints', () => {
  const found: string[] = [];
  for (const line of badLines()) {
    const problem = complaint(line);
    if (problem !== undefined) found.push(`${line.family} ${line.option}, ${line.wrong}: ${line.text}\n  ${problem}`);
  }
  expect(found).toEqual([]);
});
