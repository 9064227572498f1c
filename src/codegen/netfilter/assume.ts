/**
 * What is known of the packets that one copy of the rules sees, and what that makes of conditions.
 *
 * Ordinary packets are not later fragments, have at least 20 bytes of transport header, and an IPv6 header chain that ends
 * well. In their copy of the rules the tests of all that disappear. The odd packets' copy keeps them, but what can only be
 * reached by an ordinary packet is left out there.
 */

import type { Family } from '../../packet/netfilter.ts';
import { all, any, complementRanges, fieldMax, intersectRanges, not } from '../../policy/expr.ts';
import type { FieldName } from '../../policy/fields.ts';
import type { Expr, Interval, Test } from '../../policy/ir.ts';
import { TRANSPORT_BYTES } from './layout.ts';

export type Known = Partial<Record<FieldName, Interval>>;

/** Of ordinary packets. */
export const ORDINARY = {
  ipv4: {
    'ip.fragOffset': { min: 0n, max: 0n },
    'transport.length': { min: BigInt(TRANSPORT_BYTES), max: fieldMax('transport.length') },
  },
  ipv6: {
    'ip6.chain': { min: 0n, max: 0n },
    'ip6.fragOffset': { min: 0n, max: 0n },
    'transport.length': { min: BigInt(TRANSPORT_BYTES), max: fieldMax('transport.length') },
  },
} as const satisfies Record<Family, Known>;

/** The expression for packets of which `known` holds. */
export function assume(expr: Expr, known: Known): Expr {
  switch (expr.kind) {
    case 'test':
      return assumeTest(expr, known[expr.field]);
    case 'not':
      return not(assume(expr.expr, known));
    case 'all':
      return all(...expr.exprs.map((e) => assume(e, known)));
    case 'any':
      return any(...expr.exprs.map((e) => assume(e, known)));
    case 'constant':
    case 'tcpOption':
    case 'tcpOptionsReadable':
      return expr;
  }
}

function assumeTest(test: Test, interval: Interval | undefined): Expr {
  if (interval === undefined || test.mask !== undefined) return test;
  const inside = intersectRanges(test.ranges, [interval]);
  if (inside.length === 0) return { kind: 'constant', value: false };
  if (inside.length === 1 && inside[0]!.min === interval.min && inside[0]!.max === interval.max)
    return { kind: 'constant', value: true };
  return test;
}

/** Follows the conditions of one rule and tells when only an ordinary packet could have come so far. */
export interface OddityTracker {
  /** The expression is now known to have this value. */
  learn(expr: Expr, value: boolean): void;
  /** True when every oddity is excluded. */
  readonly impossible: () => boolean;
}

export function trackOddity(family: Family): OddityTracker {
  const ordinary: Known = ORDINARY[family];
  const fields = Object.keys(ordinary) as FieldName[];
  const possible = new Map<FieldName, readonly Interval[]>(
    fields.map((field) => [field, [{ min: 0n, max: fieldMax(field) }]]),
  );
  return {
    learn(expr, value) {
      if (expr.kind !== 'test' || expr.mask !== undefined) return;
      const now = possible.get(expr.field);
      if (now === undefined) return;
      const ranges = value ? expr.ranges : complementRanges(expr.ranges, fieldMax(expr.field));
      possible.set(expr.field, intersectRanges(now, ranges));
    },
    impossible: () =>
      fields.every((field) => {
        const { min, max } = ordinary[field]!;
        return possible.get(field)!.every((range) => range.min >= min && range.max <= max);
      }),
  };
}
