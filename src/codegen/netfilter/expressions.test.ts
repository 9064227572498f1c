/**
 * Any test of any field: random expressions over all fields of a family, with values near those of the packet, compiled and run in
 * the virtual machine against the evaluator's reading. Rules as people write them ask far less.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomTraffic } from '../../../test/generate/index.ts';
import { REFERENCE_FACTS } from '../../bpf/reference-facts.ts';
import { FAMILIES, type Family } from '../../packet/netfilter.ts';
import { evaluate } from '../../policy/evaluate.ts';
import { all, any, fieldMax, hotdrop, not, payload, require, test } from '../../policy/expr.ts';
import { FIELDS, type FieldName, type FieldSpec } from '../../policy/fields.ts';
import type { Condition, Expr, TablePolicy } from '../../policy/ir.ts';
import { createMemory } from '../../policy/memory.ts';
import { type PacketView, packetView, readField } from '../../policy/packet-view.ts';
import { readPayload } from '../../policy/payload.ts';
import { compileGeneration } from '../compile.ts';
import { createSimulation, runHook } from './simulate.ts';

function fieldsOf(family: Family): readonly FieldName[] {
  return (Object.keys(FIELDS) as FieldName[]).filter((field) => {
    const spec: FieldSpec = FIELDS[field];
    return spec.family === undefined || spec.family === family;
  });
}

/** A value near the packet's own, at a border of the field, or anywhere. */
function valueNear(own: bigint, max: bigint): fc.Arbitrary<bigint> {
  const clamp = (value: bigint): bigint => (value < 0n ? 0n : value > max ? max : value);
  return fc.oneof(
    fc.integer({ min: -2, max: 2 }).map((difference) => clamp(own + BigInt(difference))),
    fc.constantFrom(0n, 1n, max, max - 1n),
    fc.bigInt({ min: 0n, max }),
  );
}

function testOf(view: PacketView): fc.Arbitrary<Expr> {
  return fc.constantFrom(...fieldsOf(view.family)).chain((field) => {
    const max = fieldMax(field);
    const mask = fc.option(fc.oneof(fc.bigInt({ min: 0n, max }), fc.constantFrom(max ^ 1n, max >> 3n)), {
      nil: undefined,
    });
    return mask.chain((bits) => {
      const own = readField(view, field) & (bits ?? max);
      const bound = valueNear(own, max);
      const range = fc.tuple(bound, bound).map(([a, b]) => (a < b ? { min: a, max: b } : { min: b, max: a }));
      const point = bound.map((value) => ({ min: value, max: value }));
      return fc
        .array(fc.oneof(range, point), { minLength: 1, maxLength: 7 })
        .map((ranges) => test(field, ranges, bits));
    });
  });
}

/** Bytes of the packet and beyond, mostly near a number that is there. */
function payloadOf(view: PacketView): fc.Arbitrary<Expr> {
  const where = fc.record({
    base: fc.constantFrom('network' as const, 'transport' as const),
    offset: fc.oneof(fc.integer({ min: 0, max: 24 }), fc.integer({ min: 0, max: view.bytes.length + 4 })),
    bits: fc.constantFrom(8 as const, 16 as const, 32 as const),
  });
  return where.chain((at) => {
    const max = (1n << BigInt(at.bits)) - 1n;
    const bound = valueNear(readPayload(view, at), max);
    const mask = fc.option(fc.bigInt({ min: 0n, max }), { nil: undefined });
    return fc
      .tuple(bound, bound, mask)
      .map(([a, b, bits]) => payload(at, [a < b ? { min: a, max: b } : { min: b, max: a }], bits));
  });
}

function exprOf(view: PacketView, depth = 2): fc.Arbitrary<Expr> {
  const leaf = fc.oneof({ weight: 3, arbitrary: testOf(view) }, { weight: 1, arbitrary: payloadOf(view) });
  if (depth === 0) return leaf;
  const parts = fc.array(exprOf(view, depth - 1), { minLength: 1, maxLength: 3 });
  return fc.oneof(
    { weight: 2, arbitrary: leaf },
    { weight: 1, arbitrary: parts.map((list) => all(...list)) },
    { weight: 1, arbitrary: parts.map((list) => any(...list)) },
    { weight: 1, arbitrary: exprOf(view, depth - 1).map(not) },
  );
}

function conditionsOf(view: PacketView): fc.Arbitrary<readonly Condition[]> {
  const expr = exprOf(view);
  return fc.array(fc.oneof({ weight: 4, arbitrary: expr.map(require) }, { weight: 1, arbitrary: expr.map(hotdrop) }), {
    minLength: 1,
    maxLength: 4,
  });
}

/** INPUT with rules that count and go on, and one that accepts; policy drop. */
function policyOf(family: Family, rules: readonly (readonly Condition[])[]): TablePolicy {
  return {
    family,
    table: 'filter',
    chains: [
      {
        name: 'INPUT',
        base: { hook: 'INPUT', policy: 'drop', counter: rules.length },
        rules: rules.map((conditions, index) => ({
          conditions,
          action: index % 3 === 2 ? ({ kind: 'accept' } as const) : ({ kind: 'continue' } as const),
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

/** With values that a kernel can have; the simulated one lays out no others. */
function representable(view: PacketView): PacketView {
  const known = view.family === 'ipv4' || [0, 1, 2, 4, 7].includes(view.routeDstType);
  return packetView({ ...view, pkttype: view.pkttype & 7, routeDstType: known ? view.routeDstType : 1, now: 100_000n });
}

describe('compiled expressions', () => {
  it.each(FAMILIES)('say what the evaluator says of %s packets', (family) => {
    const cases = randomTraffic(family, {}, 1)
      .map((views) => views.map(representable))
      .filter((views) => views.length > 0)
      .chain(([view]) =>
        fc.record({
          view: fc.constant(view!),
          linear: fc.integer({
            min: Math.min(family === 'ipv4' ? 20 : 40, view!.bytes.length),
            max: view!.bytes.length,
          }),
          rules: fc.array(conditionsOf(view!), { minLength: 1, maxLength: 6 }),
        }),
      );
    fc.assert(
      fc.property(cases, ({ view, linear, rules }) => {
        const policy = policyOf(family, rules);
        const { generation } = compileGeneration({ policies: [policy], facts: REFERENCE_FACTS });
        const simulation = createSimulation(generation!, REFERENCE_FACTS);
        const result = runHook(generation!, generation!.hooks[0]!, { view, linear }, simulation);
        const expected = evaluate(policy, 'INPUT', view, createMemory(policy, REFERENCE_FACTS.hz));
        const counted = result.counters().flatMap(({ packets }, index) => (packets > 0n ? [index] : []));
        expect({ verdict: result.verdict, counted }).toEqual({
          verdict: expected.verdict,
          counted: [...expected.counted].sort((a, b) => a - b),
        });
      }),
      { numRuns: 400 },
    );
  });
});
