import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FAMILIES } from '../../src/packet/netfilter.ts';
import { evaluate } from '../../src/policy/evaluate.ts';
import { createMemory } from '../../src/policy/memory.ts';
import { readField } from '../../src/policy/packet-view.ts';
import { run } from '../support/command.ts';
import { suite } from '../support/suite.ts';
import {
  filterPolicy,
  nastyPackets,
  packetsFor,
  policiesOf,
  randomPacket,
  randomRulesetText,
  randomTraffic,
} from './index.ts';

const HZ = 250;

describe.each(FAMILIES)('%s', (family) => {
  test('random rule sets are read and lowered without complaint, and every packet gets a verdict', () => {
    fc.assert(
      fc.property(randomRulesetText(family, { memory: 'random' }), randomTraffic(family, {}, 5), (text, packets) => {
        for (const policy of policiesOf(text, family)) {
          const memory = createMemory(policy, HZ);
          for (const { base } of policy.chains) {
            if (base === undefined) continue;
            for (const packet of packets) {
              const { counted, hotdrop, verdict } = evaluate(policy, base.hook, packet, memory);
              expect(counted.every((counter) => counter < policy.counters)).toBe(true);
              expect(hotdrop && verdict === 'accept').toBe(false);
            }
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  test('the same seed gives the same rule sets and packets', () => {
    const sample = () => ({
      texts: fc.sample(randomRulesetText(family), { seed: 3, numRuns: 5 }),
      packets: fc
        .sample(randomPacket(family), { seed: 3, numRuns: 5 })
        .map(({ random, ...packet }) => ({ ...packet, word: random() })),
    });
    expect(sample()).toEqual(sample());
  });

  test('directed packets are always the same, and every one gets a verdict', () => {
    fc.assert(
      fc.property(randomRulesetText(family, { memory: 'none', maxUserChains: 2 }), (text) => {
        for (const policy of policiesOf(text, family)) {
          const packets = packetsFor(policy, { nasty: false });
          expect(packets).toEqual(packetsFor(policy, { nasty: false }));
          const memory = createMemory(policy, HZ);
          for (const { hook, packet } of packets) evaluate(policy, hook, packet, memory);
        }
      }),
      { numRuns: 25 },
    );
  });

  test('a match packet matches its rule, one step outside does not', () => {
    const [source, other] = family === 'ipv4' ? ['10.1.0.0/16', '10.2.0.0'] : ['2001:db8:1::/48', '2001:db8:2::'];
    const policy = filterPolicy(
      family,
      `-A INPUT -s ${source} -i eth3 -p tcp -m tcp --dport 100:200 --tcp-flags SYN,ACK SYN`,
      `-A INPUT -m mark --mark 0x10/0xf0 -d ${other}`,
    );
    const packets = packetsFor(policy, { nasty: false });
    const hits = (counter: number) =>
      packets.filter(({ hook, packet }) =>
        evaluate(policy, hook, packet, createMemory(policy, HZ)).counted.includes(counter),
      );
    const ports = (list: typeof packets) =>
      new Set(list.map(({ packet }) => Number(readField(packet, 'transport.dport'))));
    expect([...ports(packets)]).toEqual(expect.arrayContaining([0, 99, 100, 150, 200, 201, 65535]));
    expect([...ports(hits(0))].sort()).toEqual([100, 150, 200]);
    expect(hits(1).length).toBeGreaterThan(0);
  });

  test('nasty packets have distinct names', () => {
    const names = nastyPackets(family).map(({ why }) => why);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(70);
  });
});

const RESTORE = { ipv4: 'iptables-legacy-restore', ipv6: 'ip6tables-legacy-restore' } as const;

suite('random rule sets in a network namespace', ['root', 'ip', 'iptables'], () => {
  test.each(FAMILIES)('the kernel accepts them: %s', (family) => {
    const namespace = `bfp-${process.pid}`;
    run('ip', ['netns', 'add', namespace]);
    try {
      const shape = { memory: 'random', counters: true } as const;
      for (const text of fc.sample(randomRulesetText(family, shape), { numRuns: 40, seed: 11 }))
        run('ip', ['netns', 'exec', namespace, RESTORE[family], '-c'], text, { XTABLES_LOCKFILE: '/run/bfp.lock' });
    } finally {
      run('ip', ['netns', 'del', namespace]);
    }
  });
});
