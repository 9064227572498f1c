import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quickLines } from '../../../../test/generate/quick-lines.ts';
import type { Family } from '../../../packet/netfilter.ts';
import { columnsOf } from '../../../rules/rule-columns.ts';
import { parseRuleset } from '../parse.ts';
import { printRuleset } from '../print.ts';

function textOf(lines: readonly string[]): string {
  return `*filter\n:INPUT ACCEPT [0:0]\n:OUTPUT DROP [5:6]\n:OTHER - [0:0]\n${lines.join('\n')}\nCOMMIT\n`;
}

function both(text: string, family: Family = 'ipv4') {
  const source = { name: 'rules', text };
  return [parseRuleset(source, family), parseRuleset(source, family, { thorough: true })] as const;
}

/** Rules of one chain that are columns, and all of its rules. */
function inColumns(text: string): readonly number[] {
  const { ruleset } = parseRuleset({ name: 'rules', text }, 'ipv4');
  const columns = ruleset?.tables[0]?.chains.map(columnsOf)[0];
  return columns === undefined ? [0, 0] : [columns.count - columns.others.size, columns.count];
}

describe('lines that are read quickly', () => {
  it('are the rules that the reader of everything makes, faults and all', () => {
    let columns = 0;
    fc.assert(
      fc.property(quickLines, fc.constantFrom<Family>('ipv4', 'ipv4', 'ipv6'), (lines, family) => {
        const text = textOf(lines);
        const [quick, thorough] = both(text, family);
        const [own, other] = [quick.ruleset ?? quick.readable!, thorough.ruleset ?? thorough.readable!];
        if (own.tables.some((table) => table.chains.some(columnsOf))) columns++;
        for (const counters of [true, false]) {
          expect(printRuleset(own, { counters })).toBe(printRuleset(other, { counters }));
        }
        expect(quick).toEqual(thorough);
      }),
      { numRuns: 400 },
    );
    expect(columns).toBeGreaterThan(100);
  });

  it('are those whose words have been seen twice', () => {
    const rule = (i: number): string => `-A INPUT -s 10.0.${i}.0/24 -p tcp -m tcp --dport ${i + 1} -j DROP`;
    expect(inColumns(textOf(Array.from({ length: 100 }, (_, i) => rule(i))))).toEqual([98, 100]);
  });

  it('are left alone where hardly two are alike, and taken where many are', () => {
    const unlike = Array.from({ length: 30_000 }, (_, i) => `-A INPUT -m mark --mark ${i} -j DROP`);
    const alike = Array.from({ length: 30_000 }, (_, i) => `-A INPUT -s 10.0.${i >> 8}.${i & 255}/32 -j DROP`);
    expect(inColumns(textOf([...unlike, ...alike]))[0]).toBe(0);
    expect(inColumns(textOf([...alike, ...unlike, ...alike]))[0]).toBe(59_998);
  });

  it('are rules again as soon as the table is changed otherwise than at its end', () => {
    const rules = Array.from({ length: 50 }, (_, i) => `-A INPUT -s 10.0.0.${i}/32 -j DROP`);
    const text = textOf([...rules, '-D INPUT 7', ...rules, '-I INPUT -j ACCEPT', '-Z', ...rules]);
    const [quick, thorough] = both(text);
    expect(inColumns(text)).toEqual([0, 0]);
    expect(quick).toEqual(thorough);
    expect(quick.ruleset!.tables[0]!.chains[0]!.rules).toHaveLength(150);
  });
});
