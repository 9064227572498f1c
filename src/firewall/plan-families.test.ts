import { describe, expect, it } from 'vitest';
import { REFERENCE_FACTS } from '../bpf/reference-facts.ts';
import { parseRuleset } from '../languages/iptables/parse.ts';
import type { Family } from '../packet/netfilter.ts';
import type { NamedTable } from '../policy/named.ts';
import { planFamilies } from './plan-families.ts';

function rules(family: Family, table: string, ...matches: readonly string[]) {
  const chain = table === 'nat' ? 'PREROUTING' : 'INPUT';
  const text = `*${table}\n${matches.map((match) => `-A ${chain} ${match}`).join('\n')}\nCOMMIT\n`;
  return parseRuleset({ name: family, text }, family).ruleset!;
}

const plansOf = (rulesets: Parameters<typeof planFamilies>[0], existing: readonly NamedTable[] = []) =>
  planFamilies(rulesets, REFERENCE_FACTS, { counters: false }, existing).map(({ plan }) => plan!);

const SET = '-m recent --name l --set';

describe('plans of several families', () => {
  it('share a list as the last of them needs it', () => {
    const plans = plansOf([
      rules('ipv4', 'filter', SET),
      rules('ipv6', 'filter', '-m recent --name l --rcheck --hitcount 50'),
    ]);
    for (const { compiled } of plans) expect(compiled.named).toMatchObject([{ table: { name: 'l', ring: 64 } }]);
    expect(plans[0]!.compiled.named[0]!.map).toBe(plans[1]!.compiled.named[0]!.map);
  });

  it('leave a table as it is when it is there already', () => {
    const rule = (rate: string): string => `-m hashlimit --hashlimit-name h --hashlimit-upto ${rate}`;
    const [first] = plansOf([rules('ipv4', 'filter', rule('1/hour'))]);
    const existing = first!.compiled.named.map(({ table }) => table);
    const [second] = plansOf([rules('ipv4', 'filter', rule('5/sec'))], existing);
    expect(second!.compiled.named.map(({ table }) => table)).toEqual(existing);
  });

  it('keep a list with the kernel that one of its tables uses', () => {
    const plans = plansOf([rules('ipv4', 'nat', SET), rules('ipv6', 'filter', SET)]);
    expect(plans.map(({ kernelTables }) => kernelTables.map(({ name }) => name))).toEqual([['nat'], ['filter']]);
    const other = plansOf([rules('ipv4', 'nat', SET), rules('ipv6', 'filter', SET.replace('l', 'm'))]);
    expect(other[1]!.kernelTables).toEqual([]);
  });

  it('keep rules of one table that count different things with the kernel', () => {
    const name = '-m hashlimit --hashlimit-name h --hashlimit-upto';
    const [plan] = plansOf([rules('ipv4', 'filter', `${name} 1/sec`, `${name} 1kb/s`)]);
    expect(plan!.kernelTables.map((table) => table.name)).toEqual(['filter']);
  });
});
