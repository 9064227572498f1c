import { expect, it } from 'vitest';
import { REFERENCE_FACTS } from '../../bpf/reference-facts.ts';
import { parseRuleset } from '../../languages/iptables/parse.ts';
import { lowerTable } from '../../lowering/lower-table.ts';
import { compileGeneration } from '../compile.ts';
import { MOST_FUNCTIONS } from './hook.ts';

function refusals(count: number): readonly string[] {
  const rules = Array.from({ length: count }, (_, at) => `-A INPUT -m string --algo bm --string text-${at} -j DROP\n`);
  const text = `*filter\n:INPUT ACCEPT [0:0]\n${rules.join('')}COMMIT\n`;
  const table = parseRuleset({ name: 'rules', text }, 'ipv4').ruleset?.tables[0];
  const { policy } = lowerTable(table!, 'ipv4');
  return compileGeneration({ policies: [policy!], facts: REFERENCE_FACTS }).diagnostics.map((item) => item.code);
}

it('refuses more different searches than the verifier takes functions', { timeout: 120_000 }, () => {
  expect(refusals(MOST_FUNCTIONS)).toEqual([]);
  expect(refusals(MOST_FUNCTIONS + 1)).toEqual(['too-many-functions']);
});
