/** Effects: the lists that compiled programs leave, marks that later rules see, and counters, against the evaluator. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REFERENCE_FACTS } from '../../src/bpf/reference-facts.ts';
import { createSimulation, runHook } from '../../src/codegen/netfilter/simulate.ts';
import { ipv4, ipv6 } from '../../src/packet/craft.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { TCP_FLAGS, tcp, truncated } from '../../src/packet/transport.ts';
import { LONGER } from '../../src/policy/effect.ts';
import { evaluate } from '../../src/policy/evaluate.ts';
import { createMemory } from '../../src/policy/memory.ts';
import { type PacketView, packetView } from '../../src/policy/packet-view.ts';
import { policiesOf, randomRulesetText, randomTraffic } from '../generate/index.ts';
import { compile, compiledHook, hooksOf } from './cases.ts';

/** Later rules of these ask for marks most of all. */
const MATCHES = ['mark', 'connmark', 'tcp', 'udp', 'conntrack'] as const;

function compareAll(family: Family, text: string, packets: readonly PacketView[]): void {
  const policies = policiesOf(text, family);
  const generation = compile(policies);
  const simulation = createSimulation(generation, REFERENCE_FACTS);
  for (const policy of policies) {
    const memory = createMemory(policy, REFERENCE_FACTS.hz);
    const sums = Array.from({ length: policy.counters }, () => ({ packets: 0n, bytes: 0n }));
    for (const view of packets) {
      for (const hook of hooksOf(policy)) {
        const { verdict, reject, effects, counted, longerFrom = counted.length } = evaluate(policy, hook, view, memory);
        counted.forEach((counter, at) => {
          sums[counter]!.packets += 1n;
          sums[counter]!.bytes += BigInt(view.skbLength + (at < longerFrom ? 0 : LONGER));
        });
        const run = runHook(generation, compiledHook(generation, policy, hook)!, { view }, simulation);
        expect({ verdict: run.verdict, reject: run.reject, effects: run.effects, counters: run.counters() }).toEqual({
          verdict,
          reject,
          effects,
          counters: sums,
        });
      }
    }
  }
}

describe.each(FAMILIES)('effects of %s programs are those of the evaluator', (family) => {
  it('on random rule sets', () => {
    const text = randomRulesetText(family, {
      tables: ['mangle', 'filter'],
      targets: ['effect', 'reject', 'log'],
      matches: MATCHES,
    });
    fc.assert(
      fc.property(text, randomTraffic(family, {}, 12), (rules, traffic) => compareAll(family, rules, traffic)),
      { numRuns: 120 },
    );
  });

  it('on headers that TCPMSS lengthens, or drops', () => {
    const syn = '-p tcp -m tcp --tcp-flags SYN SYN';
    const text = `*mangle\n-A FORWARD ${syn} -j TCPMSS --set-mss 900\n-A FORWARD ${syn} -j TCPMSS --set-mss 800\n-A FORWARD -p tcp\nCOMMIT\n`;
    const options = [[], [2, 4, 1, 1], [1, 1, 1, 1], [2, 3, 0, 0], [1, 2, 4, 9, 9, 0, 0, 0], Array(40).fill(1)];
    const ends =
      family === 'ipv4'
        ? { source: '10.0.0.1', destination: '10.0.0.2' }
        : { source: 'fd00::1', destination: 'fd00::2' };
    const packets = options.flatMap((bytes) =>
      [0, 3].flatMap((data) => {
        const whole = tcp({
          source: 1,
          destination: 2,
          flags: TCP_FLAGS.SYN,
          options: Uint8Array.from(bytes),
          data: new Uint8Array(data),
        });
        return [whole, truncated(whole, 20), truncated(whole, 23), truncated(whole, 12)].map((payload) =>
          packetView({ family, bytes: family === 'ipv4' ? ipv4(ends, payload) : ipv6(ends, payload) }),
        );
      }),
    );
    compareAll(family, text, packets);
  });
});
