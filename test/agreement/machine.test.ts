/**
 * Random rule sets against random traffic: the reference evaluator and the compiled programs in the virtual machine answer the
 * same, count the same and log the same, however the kernel may hold the packet.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REFERENCE_FACTS } from '../../src/bpf/reference-facts.ts';
import { createSimulation, runHook, type SimulatedPacket } from '../../src/codegen/netfilter/simulate.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import type { NamedMemory } from '../../src/policy/memory.ts';
import type { PacketView } from '../../src/policy/packet-view.ts';
import { packetsFor, randomRulesetText, randomTraffic } from '../generate/index.ts';
import { policiesOf } from '../generate/policies.ts';
import { compile, compiledHook, createOracle, hooksOf } from './cases.ts';

/** The kernel has pulled the network header without its options into the linear part before any hook runs. */
const NETWORK_HEADER = { ipv4: 20, ipv6: 40 } as const;

/** A packet held in some way; `cut` chooses how many bytes of it are linear. */
function held(view: PacketView): fc.Arbitrary<SimulatedPacket> {
  const least = Math.min(NETWORK_HEADER[view.family], view.bytes.length);
  const linear = fc.oneof(fc.constant(view.bytes.length), fc.integer({ min: least, max: view.bytes.length }));
  return fc
    .record({
      // Only a search by Boyer-Moore sees the border.
      view: linear.map((length) => ({ ...representable(view), pieces: [length, view.bytes.length - length] })),
      ethernet: fc.boolean(),
      socketless: fc.constantFrom('null', 'timeWait', 'otherNamespace'),
      renamedDevices: fc.boolean(),
      routeNoref: fc.boolean(),
    })
    .map(({ ethernet, ...packet }) => {
      const own = view.socket !== undefined || packet.socketless === 'timeWait';
      return { ...packet, view: { ...packet.view, ownSocket: own, ...(ethernet ? { ethernet } : {}) } };
    });
}

/** jiffies_64 when the machine starts, at HZ 250: its lower half wraps five minutes later. It is never 0. */
const INITIAL_JIFFIES = 2n ** 32n - 300n * 250n;

/**
 * The packet with values that a kernel can have: three bits of pkt_type, a clock that never was 0, and of the types of an IPv6
 * route those it tells apart (it calls the others unicast).
 */
function representable(view: PacketView): PacketView {
  const known = view.family === 'ipv4' || [0, 1, 2, 4, 7].includes(view.routeDstType);
  return {
    ...view,
    pkttype: view.pkttype & 7,
    now: INITIAL_JIFFIES + view.now,
    routeDstType: known ? view.routeDstType : 1,
  };
}

function compareAll(family: Family, text: string, traffic: readonly SimulatedPacket[]): void {
  const policies = policiesOf(text, family);
  const generation = compile(policies);
  const simulation = createSimulation(generation, REFERENCE_FACTS);
  const named: NamedMemory = new Map();
  for (const policy of policies) {
    const oracle = createOracle(policy, REFERENCE_FACTS.hz, named);
    for (const packet of traffic) {
      for (const hook of hooksOf(policy)) {
        const expected = oracle.run(hook, packet.view);
        const compiled = compiledHook(generation, policy, hook);
        if (compiled === undefined) throw new Error(`nothing was compiled for ${policy.table} ${hook}`);
        const { verdict, reject, events, counters } = runHook(generation, compiled, packet, simulation);
        const actual = { verdict, reject, logs: events.length, counters: counters() };
        expect({ table: policy.table, hook, ...actual }).toEqual({ table: policy.table, hook, ...expected });
      }
    }
  }
}

describe('evaluator and compiled programs agree', () => {
  for (const family of FAMILIES) {
    it(`on random ${family} rule sets and traffic`, () => {
      const traffic = randomTraffic(family, {}, 12).chain((views) => fc.tuple(...views.map(held)));
      fc.assert(
        fc.property(randomRulesetText(family, { memory: 'random' }), traffic, (text, packets) => {
          compareAll(family, text, packets);
        }),
        { numRuns: 200 },
      );
    });

    it(`on packets made for random ${family} rule sets`, () => {
      fc.assert(
        fc.property(randomRulesetText(family, { maxUserChains: 2 }), fc.nat(), (text, seed) => {
          const views = policiesOf(text, family).flatMap((policy) => packetsFor(policy, { limit: 60 }));
          compareAll(
            family,
            text,
            views.map(({ packet }, n) => fc.sample(held(packet), { seed: seed + n, numRuns: 1 })[0]!),
          );
        }),
        { numRuns: 40 },
      );
    });
  }
});
