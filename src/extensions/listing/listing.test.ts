import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type CommandWorld, isResult, readCommandLine, runCommandLine } from '../../languages/iptables/command/run.ts';
import { splitWords } from '../../languages/iptables/words.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { Ruleset } from '../../rules/model.ts';
import { MATCHES, TARGETS } from '../registry.ts';
import { MATCH_LISTINGS, TARGET_LISTINGS } from './index.ts';
import { savedOptions } from './saved.ts';

/** Lines of iptables-legacy, recorded. */
const CASES = readFileSync(new URL('legacy-listings.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split('\t'));

describe('every rule is listed as iptables-legacy lists it', () => {
  it.each(CASES)('%s %s %s %s', (family = '', table = '', chain = '', rule = '', numeric = '', plain = '') => {
    const world: CommandWorld = {
      family: family as Family,
      program: { name: family === 'ipv4' ? 'iptables' : 'ip6tables', version: '1.8.9 (test)' },
    };
    const run = (words: readonly string[], ruleset?: Ruleset): ReturnType<typeof runCommandLine> => {
      const command = readCommandLine(['-t', table, ...words], world);
      return isResult(command) ? command : runCommandLine(command, ruleset, world);
    };
    const { ruleset, stderr } = run(['-A', chain, ...splitWords(rule, 0, rule.length).words.map((word) => word.text)]);
    expect(stderr).toBe('');
    expect(run(['-L', chain, '1', '-n'], ruleset).stdout).toBe(`${JSON.parse(numeric)}\n`);
    expect(run(['-L', chain, '1'], ruleset).stdout).toBe(`${JSON.parse(plain)}\n`);
  });
});

it('knows only matches and targets that there are', () => {
  for (const name of Object.keys(MATCH_LISTINGS)) expect(MATCHES.map((match) => match.name)).toContain(name);
  for (const name of Object.keys(TARGET_LISTINGS)) expect(TARGETS.map((target) => target.name)).toContain(name);
});

it('reads saved words', () => {
  expect(savedOptions(['!', '--sport', '1:2', '--syn', '--set', 'a', 'b'])).toEqual([
    { name: 'sport', invert: true, values: ['1:2'] },
    { name: 'syn', invert: false, values: [] },
    { name: 'set', invert: false, values: ['a', 'b'] },
  ]);
});
