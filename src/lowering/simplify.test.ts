import fc from 'fast-check';
import { test as check, describe, expect } from 'vitest';
import { ipv4 } from '../packet/craft.ts';
import { raw } from '../packet/transport.ts';
import { evaluate } from '../policy/evaluate.ts';
import { all, any, between, FALSE, hotdrop, not, require, TRUE, test } from '../policy/expr.ts';
import type { Condition, Expr, TablePolicy } from '../policy/ir.ts';
import { createMemory } from '../policy/memory.ts';
import { packetView } from '../policy/packet-view.ts';
import { simplifyConditions } from './simplify.ts';

const SMALL = 6;

/** Two fields, two masks and few values, so that conditions imply and contradict each other all the time. */
const aTest: fc.Arbitrary<Expr> = fc
  .tuple(
    fc.constantFrom('ip.ttl' as const, 'ip.tos' as const),
    fc.constantFrom(undefined, 3n),
    fc.array(fc.tuple(fc.integer({ min: 0, max: SMALL }), fc.integer({ min: 0, max: SMALL })), {
      minLength: 1,
      maxLength: 2,
    }),
  )
  .map(([field, mask, list]) => {
    const ranges = list.map(([a, b]) => ({ min: BigInt(Math.min(a, b)), max: BigInt(Math.max(a, b)) }));
    return test(field, ranges, mask);
  });
const expression: fc.Arbitrary<Expr> = fc.oneof(
  { weight: 4, arbitrary: aTest },
  { weight: 1, arbitrary: fc.array(aTest, { maxLength: 3 }).map((list) => any(...list)) },
  {
    weight: 1,
    arbitrary: fc
      .array(
        fc.oneof(
          aTest,
          fc.tuple(aTest, aTest).map((two) => any(...two)),
        ),
        { maxLength: 3 },
      )
      .map((list) => all(...list)),
  },
  { weight: 1, arbitrary: aTest.map(not) },
);
const condition: fc.Arbitrary<Condition> = fc.oneof(
  { weight: 4, arbitrary: expression.map(require) },
  { weight: 2, arbitrary: expression.map(hotdrop) },
  {
    weight: 1,
    arbitrary: fc.boolean().map((invert): Condition => ({ kind: 'stateful', test: { kind: 'nth', state: 0 }, invert })),
  },
);

function policyOf(conditions: readonly Condition[]): TablePolicy {
  const rule = { conditions, action: { kind: 'accept' }, counter: 0, provenance: { chain: 'INPUT', rule: 1 } } as const;
  return {
    family: 'ipv4',
    table: 'filter',
    chains: [{ name: 'INPUT', base: { hook: 'INPUT', policy: 'drop', counter: 1 }, rules: [rule] }],
    states: [{ kind: 'nth', every: 2, packet: 0 }],
    logs: [],
    counters: 2,
    conntrack: false,
  };
}

/** Every packet that can tell two conditions apart, in order, with what it did to the memory. */
function outcomes(conditions: readonly Condition[]): readonly unknown[] {
  const policy = policyOf(conditions);
  const memory = createMemory(policy, 250);
  const out: unknown[] = [];
  for (let ttl = 0; ttl <= SMALL + 1; ttl++)
    for (let tos = 0; tos <= SMALL + 1; tos++) {
      const packet = packetView({ family: 'ipv4', bytes: ipv4({ ttl, tos }, raw(1)) });
      out.push({ ...evaluate(policy, 'INPUT', packet, memory) }, structuredClone(memory.states));
    }
  return out;
}

describe('simplifyConditions', () => {
  check('keeps the meaning of every rule, its drops and its memory', () => {
    fc.assert(
      fc.property(fc.array(condition, { maxLength: 6 }), (list) => {
        const simple = simplifyConditions(list);
        expect(outcomes(simple)).toEqual(outcomes(list));
        expect(simplifyConditions(simple)).toEqual(simple);
      }),
      { numRuns: 300 },
    );
  });

  check('a hotdrop that always holds ends the rule; one that cannot hold goes', () => {
    expect(simplifyConditions([hotdrop(TRUE), require(FALSE)])).toEqual([hotdrop(TRUE)]);
    const [known, later] = [require(between('ip.ttl', 5, 9)), require(between('ip.tos', 1, 2))];
    expect(simplifyConditions([known, hotdrop(between('ip.ttl', 0, 4)), later])).toEqual([known, later]);
  });
});
