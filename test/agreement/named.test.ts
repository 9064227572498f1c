/**
 * Tests with memory of their own (quota, recent, hashlimit): the evaluator, the virtual machine and the kernel answer and count
 * the same, packet after packet. In the machine the clock is ours; for the kernel the rules ask for times that do not matter.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REFERENCE_FACTS } from '../../src/bpf/reference-facts.ts';
import { createSimulation, readCounters, runHook } from '../../src/codegen/netfilter/simulate.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import { netfilterInput, testRun } from '../../src/kernel/test-run.ts';
import type { Family, Hook } from '../../src/packet/netfilter.ts';
import { evaluate } from '../../src/policy/evaluate.ts';
import { createMemory, type NamedMemory } from '../../src/policy/memory.ts';
import { type PacketView, packetView } from '../../src/policy/packet-view.ts';
import { policiesOf } from '../generate/policies.ts';
import { withLoaded } from '../support/loaded-generation.ts';
import { suite } from '../support/suite.ts';
import { compile, compiledHook } from './cases.ts';

/** One packet: UDP from host `host` to host `to`, at a time. */
interface Sent {
  readonly host: number;
  readonly to: number;
  readonly port: number;
  readonly ttl: number;
  readonly payload: number;
  readonly hook: Hook;
  /** Jiffies since the packet before. */
  readonly after: number;
}

function udp(family: Family, { host, to, port, ttl, payload }: Sent): Uint8Array {
  const header = family === 'ipv4' ? 20 : 40;
  const bytes = new Uint8Array(header + 8 + payload);
  const view = new DataView(bytes.buffer);
  if (family === 'ipv4') {
    view.setUint8(0, 0x45);
    view.setUint16(2, bytes.length);
    view.setUint8(8, ttl);
    view.setUint8(9, 17);
    view.setUint32(12, 0x0a000000 + host);
    view.setUint32(16, 0x0a010000 + to);
  } else {
    view.setUint8(0, 0x60);
    view.setUint16(4, 8 + payload);
    view.setUint8(6, 17);
    view.setUint8(7, ttl);
    for (const [at, end] of [
      [8, host],
      [24, to],
    ] as const) {
      view.setUint32(at, 0xfd000000 + (end & 1));
      view.setUint32(at + 12, end);
    }
  }
  view.setUint16(header, 40000 + port);
  view.setUint16(header + 2, 50 + port);
  view.setUint16(header + 4, 8 + payload);
  return bytes;
}

const OPERATIONS = ['--set', '--rcheck', '--update', '--remove'] as const;

function recentRule(family: Family): fc.Arbitrary<string> {
  return fc
    .record({
      operation: fc.constantFrom(...OPERATIONS),
      invert: fc.boolean(),
      seconds: fc.option(fc.integer({ min: 1, max: 3 })),
      hits: fc.option(fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 30, max: 40 }))),
      ttl: fc.boolean(),
      reap: fc.boolean(),
      name: fc.constantFrom('a', 'b'),
      mask: fc.constantFrom('', ...(family === 'ipv4' ? ['--mask 255.255.255.252'] : ['--mask ffff:ffff:ffff::'])),
      side: fc.constantFrom('--rsource', '--rdest'),
    })
    .map(({ operation, invert, seconds, hits, ttl, reap, name, mask, side }) => {
      const asks = operation === '--rcheck' || operation === '--update';
      return [
        '-m recent',
        invert ? '!' : '',
        operation,
        asks && seconds !== null ? `--seconds ${seconds}${reap ? ' --reap' : ''}` : '',
        asks && hits !== null ? `--hitcount ${hits}` : '',
        asks && ttl ? '--rttl' : '',
        `--name ${name} ${mask} ${side}`,
      ]
        .filter((word) => word !== '')
        .join(' ');
    });
}

function hashlimitRule(family: Family): fc.Arbitrary<string> {
  const bits = family === 'ipv4' ? 32 : 128;
  const kinds = {
    packets: fc.constantFrom('3/sec', '90/min', '200/hour', '50/sec', '2/hour'),
    bytes: fc.constantFrom('1kb/s', '512b/s', '40kb/s'),
  };
  return fc
    .record({
      above: fc.boolean(),
      kind: fc.constantFrom('packets', 'bytes', 'window', 'byteWindow'),
      packets: kinds.packets,
      bytes: kinds.bytes,
      burst: fc.integer({ min: 1, max: 6 }),
      mode: fc.subarray(['srcip', 'dstip', 'srcport', 'dstport']),
      mask: fc.integer({ min: 0, max: bits }),
      expire: fc.constantFrom('', '--hashlimit-htable-expire 700', '--hashlimit-htable-expire 5000'),
      collect: fc.constantFrom('', '--hashlimit-htable-gcinterval 400'),
      size: fc.constantFrom('', '--hashlimit-htable-size 1 --hashlimit-htable-max 3'),
      interval: fc.integer({ min: 1, max: 3 }),
    })
    .map((it) => {
      const inBytes = it.kind === 'bytes' || it.kind === 'byteWindow';
      const rate = inBytes ? it.bytes : it.packets;
      const windowed = it.kind === 'window' || it.kind === 'byteWindow';
      return [
        `-m hashlimit --hashlimit-${it.above ? 'above' : 'upto'} ${rate}`,
        inBytes ? (it.burst > 3 ? '--hashlimit-burst 100kb' : '') : `--hashlimit-burst ${it.burst}`,
        it.mode.length > 0 ? `--hashlimit-mode ${it.mode.join(',')}` : '',
        `--hashlimit-srcmask ${it.mask} ${it.expire} ${it.collect} ${it.size}`,
        windowed ? `--hashlimit-rate-match --hashlimit-rate-interval ${it.interval}` : '',
        // Rules that count different things have tables of their own.
        `--hashlimit-name ${it.kind}${it.mode.some((word) => word.endsWith('port')) ? 'Ports' : ''}`,
      ].join(' ');
    });
}

function rulesOf(family: Family): fc.Arbitrary<string> {
  const quota = fc.integer({ min: 0, max: 2000 }).map((bytes) => `-m quota --quota ${bytes}`);
  const rule = fc.oneof(recentRule(family), recentRule(family), hashlimitRule(family), quota);
  const line = fc.record({
    chain: fc.constantFrom('INPUT', 'FORWARD', 'OUTPUT'),
    matches: fc.array(rule, { minLength: 1, maxLength: 2 }),
    target: fc.constantFrom('', '-j ACCEPT', '-j DROP'),
  });
  const lines = (least: number): fc.Arbitrary<string> =>
    fc
      .array(line, { minLength: least, maxLength: 8 })
      .map((all) =>
        all.map(({ chain, matches, target }) => `-A ${chain} -p udp ${matches.join(' ')} ${target}`).join('\n'),
      );
  return fc
    .tuple(lines(1), lines(0))
    .map(([filter, security]) => `*filter\n${filter}\nCOMMIT\n*security\n${security}\nCOMMIT\n`);
}

const SENT = fc.record({
  host: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 130 })),
  to: fc.integer({ min: 0, max: 3 }),
  port: fc.integer({ min: 0, max: 2 }),
  ttl: fc.constantFrom(0, 1, 64, 255),
  payload: fc.constantFrom(0, 7, 8, 100, 1200),
  hook: fc.constantFrom<Hook>('INPUT', 'FORWARD', 'OUTPUT'),
  after: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 100, max: 1200 })),
});

const DEVICE = { name: 'lo', ifindex: 1 };
const START = 4_294_892_296n;

function viewOf(family: Family, sent: Sent, now: bigint): PacketView {
  return packetView({
    family,
    bytes: udp(family, sent),
    now,
    ...(sent.hook === 'OUTPUT' ? {} : { in: DEVICE }),
    ...(sent.hook === 'INPUT' ? {} : { out: DEVICE }),
  });
}

describe('rules with memory, in the virtual machine with our clock', () => {
  it('do what the evaluator does, with lists that both families and all tables share', () => {
    fc.assert(
      fc.property(
        rulesOf('ipv4'),
        rulesOf('ipv6'),
        fc.array(fc.tuple(fc.constantFrom<Family>('ipv4', 'ipv6'), SENT), { maxLength: 150 }),
        (rules4, rules6, packets) => {
          const policies = [...policiesOf(rules4, 'ipv4'), ...policiesOf(rules6, 'ipv6')];
          const generation = compile(policies);
          const simulation = createSimulation(generation, REFERENCE_FACTS);
          const named: NamedMemory = new Map();
          const memories = policies.map((policy) => createMemory(policy, REFERENCE_FACTS.hz, named));
          const counts = policies.map((policy) => new Array<bigint>(policy.counters).fill(0n));
          let now = START;
          for (const [family, sent] of packets) {
            now += BigInt(sent.after);
            const view = viewOf(family, sent, now);
            policies.forEach((policy, index) => {
              if (policy.family !== family) return;
              const expected = evaluate(policy, sent.hook, view, memories[index]!);
              const before = compiledHook(generation, policy, sent.hook)!;
              const { verdict } = runHook(generation, before, { view }, simulation);
              expect(verdict).toBe(expected.verdict);
              for (const counter of expected.counted) counts[index]![counter]! += 1n;
            });
          }
          policies.forEach((policy, index) => {
            const counters = readCounters(generation, simulation, policy);
            expect(counters.map(({ packets: seen }) => seen)).toEqual(counts[index]);
          });
        },
      ),
      { numRuns: 40 },
    );
  });
});

/** Rules whose answers do not depend on how long the test takes. */
const TIMELESS = {
  ipv4: [
    '-A INPUT -m recent --set --name l',
    '-A INPUT -m recent --rcheck --seconds 3600 --hitcount 3 --name l -j DROP',
    '-A INPUT -m recent --remove --name other --rdest',
    '-A INPUT -m recent ! --update --name other --mask 255.255.255.0',
    '-A INPUT -m recent --set --name other',
    '-A INPUT -m recent --rcheck --hitcount 33 --rttl --name l -j ACCEPT',
    '-A INPUT -m quota --quota 9000',
    '-A INPUT -m quota ! --quota 5000',
    '-A INPUT -p udp -m hashlimit --hashlimit-upto 2/day --hashlimit-burst 2 --hashlimit-mode srcip,dstport --hashlimit-name u',
    '-A INPUT -p udp -m hashlimit --hashlimit-above 2/day --hashlimit-burst 3 --hashlimit-mode dstip --hashlimit-htable-size 1 --hashlimit-htable-max 2 --hashlimit-name few',
    '-A INPUT -m hashlimit --hashlimit-upto 16b/s --hashlimit-burst 64b --hashlimit-mode srcip --hashlimit-srcmask 28 --hashlimit-name b',
    '-A INPUT -m hashlimit --hashlimit-upto 7/day --hashlimit-rate-match --hashlimit-rate-interval 5000 --hashlimit-mode srcip --hashlimit-name w',
  ],
} as const;

suite('rules with memory, in the kernel', ['root', 'btf'], () => {
  const facts = readKernelFacts();
  it.each(['ipv4', 'ipv6'] as const)('do what the evaluator does (%s)', (family) => {
    const lines = TIMELESS.ipv4.map((line) =>
      family === 'ipv4' ? line : line.replace('255.255.255.0', 'ffff:ffff::'),
    );
    const [policy] = policiesOf(`*filter\n${lines.join('\n')}\nCOMMIT\n`, family);
    const generation = compile([policy!], facts);
    const memory = createMemory(policy!, facts.hz);
    withLoaded(generation, ({ program }) => {
      const hook = compiledHook(generation, policy!, 'INPUT')!;
      for (const [index, sent] of fc.sample(SENT, { numRuns: 1500, seed: 7 }).entries()) {
        const bytes = udp(family, sent);
        const view = packetView({ family, bytes, in: DEVICE, now: START + BigInt(index >> 4) });
        const { verdict } = evaluate(policy!, 'INPUT', view, memory);
        const { retval } = testRun(program(hook), netfilterInput(family, 'INPUT', bytes));
        expect({ index, verdict: retval === 1 ? 'accept' : 'drop' }).toEqual({ index, verdict });
      }
    });
  });
});
