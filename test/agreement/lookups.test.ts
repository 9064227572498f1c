/**
 * Every way to decide rules by look-ups against the reference evaluator: random rule sets in which even few rules become a run, in the
 * virtual machine.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REFERENCE_FACTS } from '../../src/bpf/reference-facts.ts';
import type { Choice } from '../../src/classify/classifier.ts';
import type { LookupOptions } from '../../src/codegen/netfilter/lookup/plan.ts';
import { createSimulation, runHook } from '../../src/codegen/netfilter/simulate.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import type { TablePolicy } from '../../src/policy/ir.ts';
import type { PacketView } from '../../src/policy/packet-view.ts';
import { filterPolicy, packetsFor, randomRulesetText, randomTraffic } from '../generate/index.ts';
import { policiesOf } from '../generate/policies.ts';
import { compile, compiledHook, createOracle, hooksOf } from './cases.ts';

const CHOICES = ['trees', 'hashes', 'ordered', 'auto'] as const satisfies readonly Choice[];

function options(choice: Choice, minRules = 1): LookupOptions {
  return { choice, extract: { minRules, maxAxes: 12, maxRowsPerRule: 64 } };
}

/** The packet with values that a kernel can have; see machine.test.ts. */
function later(view: PacketView): PacketView {
  const known = view.family === 'ipv4' || [0, 1, 2, 4, 7].includes(view.routeDstType);
  return {
    ...view,
    pkttype: view.pkttype & 7,
    now: 2n ** 32n + view.now,
    routeDstType: known ? view.routeDstType : 1,
  };
}

function compareAll(policies: readonly TablePolicy[], views: readonly PacketView[], lookups: LookupOptions): void {
  const generation = compile(policies, REFERENCE_FACTS, lookups);
  const simulation = createSimulation(generation, REFERENCE_FACTS);
  for (const policy of policies) {
    const oracle = createOracle(policy, REFERENCE_FACTS.hz);
    for (const view of views.map(later)) {
      for (const hook of hooksOf(policy)) {
        const expected = oracle.run(hook, view);
        const compiled = compiledHook(generation, policy, hook)!;
        const { verdict, reject, events, counters } = runHook(generation, compiled, { view }, simulation);
        const actual = { verdict, reject, logs: events.length, counters: counters() };
        expect({ table: policy.table, hook, ...actual }).toEqual({ table: policy.table, hook, ...expected });
      }
    }
  }
}

describe.each(CHOICES)('look-ups: %s', (choice) => {
  it.each(FAMILIES)('random %s rule sets', (family: Family) => {
    fc.assert(
      fc.property(randomRulesetText(family, { memory: 'random' }), randomTraffic(family, {}, 8), (text, traffic) => {
        const policies = policiesOf(text, family);
        const made = policies.flatMap((policy) => packetsFor(policy, { limit: 30 })).map(({ packet }) => packet);
        compareAll(policies, [...traffic, ...made], options(choice));
      }),
      { numRuns: 40 },
    );
  });
});

describe('a chain of many kinds of rules', () => {
  const lines = Array.from({ length: 200 }, (_, i) => {
    const source = `-s 10.${i % 7}.${i}.0/${20 + (i % 9)}`;
    const ports = ['--dport 80', '--dport 1000:2000', '! --dport 22', '--sport 53'][i % 4];
    const tail = [
      '-j DROP',
      '-j ACCEPT',
      '',
      '-m limit --limit 1/s -j ACCEPT',
      '-j LOG',
      '-j sub',
      '-g other',
      '-j REJECT',
    ][i % 8];
    return `-A INPUT ${source} -p ${i % 3 === 0 ? 'udp -m udp' : 'tcp -m tcp'} ${ports} ${tail}`;
  });
  const sub = Array.from(
    { length: 60 },
    (_, i) =>
      `-A ${i % 2 === 0 ? 'sub' : 'other'} -s 10.${i % 5}.0.0/16 -p tcp -m tcp --dport ${70 + i}:${90 + i} -j ${['RETURN', 'ACCEPT', 'DROP'][i % 3]}`,
  );

  it.each(CHOICES)('is decided by look-ups: %s', (choice) => {
    const policy = filterPolicy('ipv4', ':sub - [0:0]', ':other - [0:0]', ...lines, ...sub);
    const packets = packetsFor(policy, { limit: 1500 }).map(({ packet }) => packet);
    compareAll([policy], packets, options(choice, 24));
  });
});
