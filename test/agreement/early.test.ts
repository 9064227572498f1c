/**
 * Early programs under the kernel's TEST_RUN: a frame is dropped only when the reference evaluator says that the table drops the packet,
 * and every counter is the evaluator's; everything else passes with nothing counted.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compileEarly } from '../../src/codegen/xdp/program.ts';
import { planStages } from '../../src/early/stages.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import { createMap } from '../../src/kernel/map.ts';
import { loadProgram } from '../../src/kernel/program.ts';
import { testRun } from '../../src/kernel/test-run.ts';
import { ETHERTYPE, ethernet } from '../../src/packet/craft.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { evaluate } from '../../src/policy/evaluate.ts';
import type { TablePolicy } from '../../src/policy/ir.ts';
import { createMemory } from '../../src/policy/memory.ts';
import type { PacketView } from '../../src/policy/packet-view.ts';
import { packetsFor, randomRulesetText, randomTraffic } from '../generate/index.ts';
import { policiesOf } from '../generate/policies.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';

const HOOK = 'PREROUTING';
const XDP_DROP = 1;
const XDP_PASS = 2;

const facts = readKernelFacts;

interface Result {
  readonly verdict: number;
  readonly counters: readonly string[];
}

/** A runner of one table's early program; undefined when it has none. */
function early(policy: TablePolicy) {
  const known = facts();
  const stages = planStages({ policies: [policy], kernel: [] });
  if (stages === undefined) return undefined;
  const stride = Math.ceil((policy.counters * 16) / 64) * 64;
  const compiled = compileEarly({ stages, facts: known, firstCounter: () => 0, counterStride: stride });
  const counters = createMap({
    name: 'bf_counters',
    type: 'array',
    keySize: 4,
    valueSize: stride * known.possibleCpus,
    maxEntries: 1,
  });
  const maps = new Map([
    ['bf_counters', counters],
    ...compiled.maps.map((spec) => [spec.name, createMap(spec)] as const),
  ]);
  const program = loadProgram(compiled.program, maps);
  return {
    run(frame: Uint8Array): Result {
      counters.writeValue(new Uint8Array(stride * known.possibleCpus));
      const verdict = testRun(program, { data: frame }).retval;
      const value = Buffer.from(counters.readValue());
      const sums = Array.from({ length: policy.counters }, (_, counter) => {
        let [packets, bytes] = [0n, 0n];
        for (let cpu = 0; cpu < known.possibleCpus; cpu++) {
          packets += value.readBigUInt64LE(cpu * stride + counter * 16);
          bytes += value.readBigUInt64LE(cpu * stride + counter * 16 + 8);
        }
        return `${packets}:${bytes}`;
      });
      return { verdict, counters: sums };
    },
    close() {
      program.close();
      for (const map of maps.values()) map.close();
    },
  };
}

function expectation(policy: TablePolicy, view: PacketView): Result {
  const { verdict, counted } = evaluate(policy, HOOK, view, createMemory(policy, facts().hz));
  const sums = Array.from({ length: policy.counters }, (_, counter) => {
    const times = counted.filter((item) => item === counter).length;
    return `${times}:${times * view.skbLength}`;
  });
  return { verdict: verdict === 'drop' ? XDP_DROP : XDP_PASS, counters: sums };
}

const frameOf = ({ family, bytes }: PacketView): Uint8Array => ethernet({ type: ETHERTYPE[family] }, bytes);
/** What a test run says the device is. */
const LOOPBACK = { name: 'lo', ifindex: 1 } as const;

function rawOf(family: Family, ...lines: readonly string[]): TablePolicy {
  return policiesOf(`*raw\n${lines.join('\n')}\nCOMMIT\n`, family)[0]!;
}

/** How many of the packets were dropped early. */
function compareAll(policy: TablePolicy, views: readonly PacketView[]): number {
  const program = early(policy);
  if (program === undefined) return 0;
  let drops = 0;
  try {
    for (const view of views) {
      const { out: _, ...received } = view;
      const arrived: PacketView = { ...received, in: LOOPBACK, pkttype: 0 };
      const { verdict, counters } = program.run(frameOf(arrived));
      if (verdict === XDP_DROP) {
        drops++;
        expect({ verdict, counters }).toEqual(expectation(policy, arrived));
      } else {
        expect(verdict).toBe(XDP_PASS);
        expect(new Set(counters)).toEqual(new Set(['0:0']));
      }
    }
  } finally {
    program.close();
  }
  return drops;
}

suite('early programs and the evaluator agree', DIFFERENTIAL, () => {
  it.each(FAMILIES)('on chains, goto and returns: %s', (family) => {
    const lines = [
      ':a - [0:0]',
      ':b - [0:0]',
      '-A PREROUTING -j a',
      '-A PREROUTING -p tcp -j b',
      '-A PREROUTING -i lo -j b',
      '-A PREROUTING -i eth+ -j DROP',
      '-A a -p udp -m udp --dport 53',
      '-A a -p udp -g b',
      '-A b -p udp -m udp --sport 1000:2000 -j RETURN',
      '-A b -p tcp -m tcp --dport 80 --syn -j DROP',
      '-A b -p udp -j DROP',
    ];
    const policy = rawOf(family, ...lines);
    const drops = compareAll(
      policy,
      packetsFor(policy).map(({ packet }) => packet),
    );
    expect(drops).toBeGreaterThan(10);
  });

  it.each([
    [20, 1],
    [22, 0],
  ])('on too many counters: %i rules in front of the last', (rules, drops) => {
    const policy = rawOf('ipv4', ...Array.from({ length: rules }, () => '-A PREROUTING'), '-A PREROUTING -j DROP');
    const view = packetsFor(policy, { limit: 1 }).map(({ packet }) => packet)[0]!;
    expect(compareAll(policy, [view])).toBe(drops);
  });

  it.each(FAMILIES)('on a list that is looked up: %s', (family) => {
    const source = (at: number): string => (family === 'ipv4' ? `10.1.${at >> 8}.${at & 255}/32` : `fd00::${at}/128`);
    const lines = Array.from({ length: 600 }, (_, at) => `-A PREROUTING -s ${source(at)} -j DROP`);
    const policy = rawOf(family, ...lines);
    const views = packetsFor(policy, { limit: 200 }).map(({ packet }) => packet);
    expect(compareAll(policy, views)).toBeGreaterThan(20);
  });

  it.each(FAMILIES)('on random tables and traffic: %s', (family) => {
    let drops = 0;
    fc.assert(
      fc.property(
        randomRulesetText(family, { tables: ['raw'], targets: ['log', 'effect'] }),
        randomTraffic(family, {}, 12),
        (text, traffic) => {
          const policy = policiesOf(text, family)[0]!;
          drops += compareAll(policy, [...traffic, ...packetsFor(policy, { limit: 40 }).map(({ packet }) => packet)]);
        },
      ),
      { numRuns: 40 },
    );
    expect(drops).toBeGreaterThan(20);
  });
});
