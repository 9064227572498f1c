import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quickLines } from '../../../../test/generate/quick-lines.ts';
import type { Family } from '../../../packet/netfilter.ts';
import type { Ruleset } from '../../../rules/model.ts';
import { columnsOf } from '../../../rules/rule-columns.ts';
import { parseRuleset } from '../parse.ts';
import { printRuleset } from '../print.ts';
import { type RestoreResult, readRestoreOptions, restoreText } from './restore.ts';
import type { CommandWorld } from './run.ts';

const PROGRAM = { name: 'iptables-restore', version: '1.8.9' };
const OLD =
  '*filter\n:INPUT DROP [7:8]\n:OTHER - [0:0]\n:OLD - [0:0]\n-A INPUT -j OLD\n-A OLD -s 10.0.0.1/32\nCOMMIT\n';

function restore(text: string, argv: readonly string[], family: Family, now?: Ruleset): RestoreResult {
  const world: CommandWorld = { family, program: PROGRAM, accounts: undefined };
  return restoreText(text, readRestoreOptions(argv, PROGRAM), now, world);
}

function printed({ ruleset, status, stderr }: RestoreResult): unknown {
  return [status, stderr, ruleset === undefined ? undefined : printRuleset(ruleset, { counters: true })];
}

describe('iptables-restore', () => {
  // Where each rule is announced, each is read by itself.
  it('reads lines that are like others quickly, and makes the rules of them that it would make of each by itself', () => {
    let columns = 0;
    fc.assert(
      fc.property(
        quickLines,
        fc.constantFrom<Family>('ipv4', 'ipv4', 'ipv6'),
        fc.subarray(['-c', '-n']),
        fc.boolean(),
        fc.integer({ min: 0, max: 3 }),
        (lines, family, argv, replaces, faulty) => {
          const chains = argv.includes('-c') ? ':INPUT ACCEPT [1:2]\n' : ':INPUT ACCEPT\n';
          const textOf = (some: readonly string[]): string =>
            `*filter\n${chains}:OUTPUT DROP [5:6]\n:OTHER - [0:0]\n${some.join('\n')}\nCOMMIT\n`;
          // The first fault ends it.
          const good = (line: string): boolean => restore(textOf([line]), argv, family).status === 0;
          const text = textOf(faulty === 0 ? lines : lines.filter(good));
          const now = replaces ? parseRuleset({ name: 'old', text: OLD }, family).ruleset : undefined;
          const quick = restore(text, argv, family, now);
          if (quick.ruleset?.tables.some((table) => table.chains.some(columnsOf)) === true) columns++;
          expect(printed(quick)).toEqual(printed(restore(text, [...argv, '-v'], family, now)));
        },
      ),
      { numRuns: 400 },
    );
    expect(columns).toBeGreaterThan(100);
  });

  it('takes counters of such lines with -c only', () => {
    const line = (i: number): string => `[${i}:${2 * i}] -A INPUT -s 10.0.0.${i}/32 -j DROP\n`;
    const text = `*filter\n${Array.from({ length: 9 }, (_, i) => line(i)).join('')}COMMIT\n`;
    for (const argv of [[], ['-c']]) {
      const { ruleset } = restore(text, argv, 'ipv4');
      const [input] = ruleset!.tables[0]!.chains;
      expect(columnsOf(input!)?.others.size).toBeLessThan(9);
      expect(input!.rules.map(({ counters }) => counters.packets)).toEqual(
        Array.from({ length: 9 }, (_, i) => (argv.length === 0 ? 0n : BigInt(i))),
      );
    }
  });

  it('does not take a jump to a chain with the name of a target for that target', () => {
    const rules = (count: number): string =>
      Array.from({ length: count }, (_, i) => `-A INPUT -s 10.0.0.${i}/32 -j REJECT\n`).join('');
    const { ruleset } = restore(`*filter\n:REJECT - [0:0]\n${rules(5)}COMMIT\n`, [], 'ipv4');
    const kinds = ruleset!.tables[0]!.chains[0]!.rules.map(({ target }) => target.kind);
    expect(kinds).toEqual(Array.from({ length: 5 }, () => 'jump'));
  });
});
