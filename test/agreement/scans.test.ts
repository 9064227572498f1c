/** Rules that walk through packets, against packets made for them: evaluator and compiled programs in the virtual machine. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REFERENCE_FACTS } from '../../src/bpf/reference-facts.ts';
import { createSimulation, runHook } from '../../src/codegen/netfilter/simulate.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { HEADER_RULES } from '../generate/header-rules.ts';
import { packetsFor } from '../generate/index.ts';
import { filterPolicy } from '../generate/policies.ts';
import { SCAN_RULES } from '../generate/scan-rules.ts';
import { compile, compiledHook, createOracle } from './cases.ts';

function compare(family: Family, rules: readonly string[]): void {
  const policy = filterPolicy(family, ':INPUT ACCEPT', ...rules.map((rule) => `-A INPUT ${rule}`));
  const generation = compile([policy]);
  const simulation = createSimulation(generation, REFERENCE_FACTS);
  const oracle = createOracle(policy, REFERENCE_FACTS.hz);
  const compiled = compiledHook(generation, policy, 'INPUT')!;
  const least = family === 'ipv4' ? 20 : 40;
  for (const [seed, { packet, why }] of packetsFor(policy, { nasty: true }).entries()) {
    const view = { ...packet, now: packet.now + 2n ** 32n };
    const lengths = fc.integer({ min: Math.min(least, view.bytes.length), max: view.bytes.length });
    const [linear] = fc.sample(lengths, { seed, numRuns: 1 });
    const rest = view.bytes.length - linear!;
    const pieces = [linear!, ...(rest > 9 ? [9, rest - 9] : rest > 0 ? [rest] : [])];
    const held = seed % 3 === 0 ? view : { ...view, pieces };
    const expected = oracle.run('INPUT', held);
    const { verdict, counters } = runHook(generation, compiled, { view: held }, simulation);
    const bytes = Buffer.from(view.bytes).toString('hex');
    expect({ why, bytes, pieces, verdict, counters: counters() }).toEqual({
      why,
      bytes,
      pieces,
      verdict: expected.verdict,
      counters: expected.counters,
    });
  }
}

describe('evaluator and compiled scans agree', () => {
  for (const family of FAMILIES)
    it.each(Object.entries({ ...SCAN_RULES[family], ...HEADER_RULES[family] }))(`${family} %s`, (_, rules) => {
      for (const rule of rules) compare(family, [rule]);
      compare(family, rules);
    });
});
