/**
 * The shapes that only large tables get: chains that return through the loop head, cuts in every chain, one copy of the rules for
 * all packets. Small random tables are compiled in each of them and compared with the evaluator, in the virtual machine and,
 * where it can be asked, through the kernel's verifier.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createOracle, hooksOf } from '../../../test/agreement/cases.ts';
import { policiesOf, randomRulesetText, randomTraffic } from '../../../test/generate/index.ts';
import { withLoaded } from '../../../test/support/loaded-generation.ts';
import { suite } from '../../../test/support/suite.ts';
import { REFERENCE_FACTS } from '../../bpf/reference-facts.ts';
import { readKernelFacts } from '../../kernel/facts.ts';
import { FAMILIES, type Family } from '../../packet/netfilter.ts';
import { packetView } from '../../policy/packet-view.ts';
import { compileGeneration } from '../compile.ts';
import type { CompiledGeneration } from '../compiled.ts';
import type { Shape } from './hook.ts';
import { createSimulation, runHook } from './simulate.ts';

const SHAPES: Readonly<Record<string, Shape>> = {
  'two copies, loop': { copies: 'two', loop: true, cutAfter: 2500 },
  'two copies, loop, cut everywhere': { copies: 'two', loop: true, cutAfter: 0 },
  'one copy, exact': { copies: 'one', loop: false, cutAfter: 2500 },
  'one copy, loop, cut everywhere': { copies: 'one', loop: true, cutAfter: 0 },
};

function compile(text: string, family: Family, shape: Shape, facts = REFERENCE_FACTS): CompiledGeneration {
  const { generation, diagnostics } = compileGeneration({ policies: policiesOf(text, family), facts, shape });
  expect(diagnostics).toEqual([]);
  return generation!;
}

/** Jiffies are never 0 on a running kernel. */
const START = 1_000_000n;

describe.each(Object.entries(SHAPES))('programs of %s', (_name, shape) => {
  it.each(FAMILIES)('agree with the evaluator on %s', (family) => {
    const traffic = randomTraffic(family, {}, 8);
    fc.assert(
      fc.property(randomRulesetText(family, { memory: 'random' }), traffic, (text, packets) => {
        const generation = compile(text, family, shape);
        const simulation = createSimulation(generation, REFERENCE_FACTS);
        for (const policy of policiesOf(text, family)) {
          const oracle = createOracle(policy, REFERENCE_FACTS.hz);
          for (const packet of packets) {
            const known = family === 'ipv4' || [0, 1, 2, 4, 7].includes(packet.routeDstType);
            const view = packetView({
              ...packet,
              pkttype: packet.pkttype & 7,
              routeDstType: known ? packet.routeDstType : 1,
              now: START + packet.now,
            });
            for (const hook of hooksOf(policy)) {
              const compiled = generation.hooks.find((entry) => entry.table === policy.table && entry.hook === hook)!;
              const expected = oracle.run(hook, view);
              const { verdict, reject, events, counters } = runHook(generation, compiled, { view }, simulation);
              const actual = { verdict, reject, logs: events.length, counters: counters() };
              expect({ hook, ...actual }).toEqual({ hook, ...expected });
            }
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});

suite('shapes of programs in the kernel', ['root', 'btf'], () => {
  const facts = readKernelFacts();
  describe.each(Object.entries(SHAPES))('%s', (_name, shape) => {
    it.each(FAMILIES)('is accepted by the verifier for %s', (family) => {
      fc.assert(
        fc.property(randomRulesetText(family), (text) => {
          withLoaded(compile(text, family, shape, facts), () => {});
        }),
        { numRuns: 15 },
      );
    });
  });
});
