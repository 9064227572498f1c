/** Random scans of transport headers and u32 programs over random packets: the compiled code says what the evaluator says. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dccpPayload, sctpPayload, tcpWithOptions } from '../../../../test/generate/headers.ts';
import { REFERENCE_FACTS } from '../../../bpf/reference-facts.ts';
import { ipv4, ipv6 } from '../../../packet/craft.ts';
import { FAMILIES, type Family } from '../../../packet/netfilter.ts';
import { type Payload, truncated } from '../../../packet/transport.ts';
import { evaluate } from '../../../policy/evaluate.ts';
import { hotdrop, require } from '../../../policy/expr.ts';
import type { Condition, ScanTest, TablePolicy } from '../../../policy/ir.ts';
import { createMemory } from '../../../policy/memory.ts';
import { packetView } from '../../../policy/packet-view.ts';
import type { NumberRange, Scan } from '../../../policy/scan.ts';
import { compileGeneration } from '../../compile.ts';
import { createSimulation, runHook } from '../simulate.ts';

const byte = fc.integer({ min: 0, max: 255 });
const ends = fc.constant({ source: 1, destination: 2 });

/** Sorted and disjoint, not adjacent: made from cuts that are at least 2 apart. */
function rangesUpTo(max: number, near: readonly number[]): fc.Arbitrary<readonly NumberRange[]> {
  const value = fc.oneof(fc.constantFrom(...near), fc.integer({ min: 0, max }));
  return fc.array(fc.tuple(value, value), { maxLength: 3 }).map((pairs) => {
    const out: { min: number; max: number }[] = [];
    for (const [a, b] of pairs.map(([x, y]) => [Math.min(x, y), Math.max(x, y)] as const).sort((x, y) => x[0] - y[0])) {
      const last = out.at(-1);
      if (last !== undefined && a <= last.max + 1) last.max = Math.max(last.max, b);
      else out.push({ min: a, max: b });
    }
    return out;
  });
}

const sctpScan: fc.Arbitrary<Scan> = fc.record({
  kind: fc.constant('sctpChunks' as const),
  how: fc.constantFrom('any' as const, 'all' as const, 'only' as const),
  types: rangesUpTo(255, [0, 1, 2, 3, 6, 14, 64]),
  flags: fc.constantFrom(
    [],
    [{ type: 0, mask: 3, value: 2 }],
    [
      { type: 0, mask: 8, value: 0 },
      { type: 6, mask: 1, value: 1 },
    ],
  ),
});
const dccpScan: fc.Arbitrary<Scan> = fc
  .oneof(fc.constantFrom(2, 3, 8, 37), byte)
  .map((option) => ({ kind: 'dccpOption', option }));
const mssScan: fc.Arbitrary<Scan> = rangesUpTo(65535, [0, 536, 1460, 65535]).map((ranges) => ({
  kind: 'tcpMss',
  ranges,
}));
const u32Scan: fc.Arbitrary<Scan> = fc.record({
  kind: fc.constant('u32' as const),
  start: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.constantFrom(0xffffffff, 0x80000000)),
  steps: fc.array(
    fc.oneof(
      fc.record({ operator: fc.constant('&' as const), operand: fc.constantFrom(0xff, 0x3c, 0xffff, 0xf0000000, 0) }),
      fc.record({
        operator: fc.constantFrom('>>' as const, '<<' as const),
        operand: fc.constantFrom(0, 2, 8, 22, 24, 31),
      }),
      fc.record({
        operator: fc.constant('@' as const),
        operand: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.constant(0xfffffffe)),
      }),
    ),
    { maxLength: 5 },
  ),
  ranges: rangesUpTo(0xffffffff, [0, 1, 6, 20, 255, 0xffff, 0xffffffff]),
});

const KINDS: readonly (readonly [name: string, scan: fc.Arbitrary<Scan>, payload: fc.Arbitrary<Payload>])[] = [
  ['chunks of SCTP', sctpScan, sctpPayload(ends)],
  ['options of DCCP', dccpScan, dccpPayload(ends)],
  ['the segment size of TCP', mssScan, tcpWithOptions(ends)],
  ['u32', u32Scan, tcpWithOptions(ends)],
];

/** Two rules for a scan: it drops what is evil behind a counting rule for what is not found, then counts what is. */
function policyOf(family: Family, scan: Scan): TablePolicy {
  const yes: ScanTest = { kind: 'scan', scan, outcome: 'yes' };
  const rules: readonly (readonly Condition[])[] = [
    [require({ kind: 'not', expr: yes })],
    [hotdrop({ ...yes, outcome: 'evil' })],
    [require(yes)],
  ];
  return {
    family,
    table: 'filter',
    chains: [
      {
        name: 'INPUT',
        base: { hook: 'INPUT', policy: 'accept', counter: rules.length },
        rules: rules.map((conditions, index) => ({
          conditions,
          action: { kind: 'continue' },
          counter: index,
          provenance: { chain: 'INPUT', rule: index + 1 },
        })),
      },
    ],
    states: [],
    logs: [],
    conntrack: false,
    counters: rules.length + 1,
  };
}

describe.each(FAMILIES)('scans of %s packets say what the evaluator says', (family) => {
  it.each(KINDS)('%s', (_, scans, payloads) => {
    const cut = fc.oneof(
      { weight: 3, arbitrary: fc.constant(1000) },
      { weight: 1, arbitrary: fc.integer({ min: 12, max: 60 }) },
    );
    fc.assert(
      fc.property(scans, payloads, cut, fc.constantFrom(0, 0, 1, 2), byte, (scan, payload, length, late, linear) => {
        const inner = truncated(payload, length);
        const bytes =
          family === 'ipv4'
            ? ipv4({ fragmentOffset: late }, inner)
            : ipv6({ extensions: late === 0 ? [] : [{ kind: 'fragment', offset: late, id: 1 }] }, inner);
        const view = packetView({ family, bytes });
        const policy = policyOf(family, scan);
        const { generation } = compileGeneration({ policies: [policy], facts: REFERENCE_FACTS });
        const simulation = createSimulation(generation!, REFERENCE_FACTS);
        const shape = { view, linear: Math.min(bytes.length, (family === 'ipv4' ? 20 : 40) + linear) };
        const result = runHook(generation!, generation!.hooks[0]!, shape, simulation);
        const expected = evaluate(policy, 'INPUT', view, createMemory(policy, REFERENCE_FACTS.hz));
        const counted = result.counters().flatMap(({ packets }, index) => (packets > 0n ? [index] : []));
        expect({ verdict: result.verdict, counted }).toEqual({ verdict: expected.verdict, counted: expected.counted });
      }),
      { numRuns: 150 },
    );
  });
});
