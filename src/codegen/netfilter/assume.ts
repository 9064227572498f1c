/**
 * What is known of the packets that one copy of the rules sees, and what that makes of conditions.
 *
 * Ordinary packets are not later fragments, have at least 20 bytes of transport header, and an IPv6 header chain that ends
 * well. In their copy of the rules the tests of all that disappear. The odd packets' copy keeps them, but what can only be
 * reached by an ordinary packet is left out there.
 */

import type { Family } from '../../packet/netfilter.ts';
import { all, any, FALSE, fieldMax, not, TRUE } from '../../policy/expr.ts';
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
  if (!asksFor(expr, known)) return expr;
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
    case 'payload':
    case 'scan':
    case 'tcpOption':
    case 'tcpOptionsReadable':
      return expr;
  }
}

/** Whether any of the known fields is tested: most expressions can stay as they are. */
function asksFor(expr: Expr, known: Known): boolean {
  switch (expr.kind) {
    case 'test':
      return known[expr.field] !== undefined;
    case 'not':
      return asksFor(expr.expr, known);
    case 'all':
    case 'any':
      return expr.exprs.some((e) => asksFor(e, known));
    case 'constant':
    case 'payload':
    case 'scan':
    case 'tcpOption':
    case 'tcpOptionsReadable':
      return false;
  }
}

function assumeTest(test: Test, interval: Interval | undefined): Expr {
  if (interval === undefined) return test;
  const { min, max } = interval;
  if (min === max) {
    const value = test.mask === undefined ? min : min & test.mask;
    return test.ranges.some((range) => range.min <= value && range.max >= value) ? TRUE : FALSE;
  }
  if (test.mask !== undefined) return test;
  if (test.ranges.some((range) => range.min <= min && range.max >= max)) return TRUE;
  return test.ranges.some((range) => range.min <= max && range.max >= min) ? test : FALSE;
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
  const needed = Object.keys(ordinary).length;
  const excluded = new Set<FieldName>();
  return {
    learn(expr, value) {
      if (expr.kind !== 'test' || expr.mask !== undefined) return;
      const interval = ordinary[expr.field];
      if (interval !== undefined && leavesOnly(expr, value, interval)) excluded.add(expr.field);
    },
    impossible: () => excluded.size === needed,
  };
}

/** Largest values of fields that cannot hold all their bits could. */
const LARGEST: Partial<Record<FieldName, bigint>> = { 'ip6.chain': 1n };

/** Whether a field for which the test has this value lies in the interval. */
function leavesOnly(test: Test, value: boolean, { min, max }: Interval): boolean {
  if (value) return test.ranges.every((range) => range.min >= min && range.max <= max);
  const below = min === 0n || test.ranges.some((range) => range.min === 0n && range.max >= min - 1n);
  const top = LARGEST[test.field] ?? fieldMax(test.field);
  return below && (max >= top || test.ranges.some((range) => range.min <= max + 1n && range.max >= top));
}
