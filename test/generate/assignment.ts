/**
 * Field values that make a rule's conditions hold: what the directed generator starts from.
 *
 * This is no solver. It walks the conditions once and adjusts one value after the other, which is enough for conditions
 * that do not contradict each other; where they do, the packet simply does not match, and that is worth sending too.
 */

import { fieldMax } from '../../src/policy/expr.ts';
import type { FieldName } from '../../src/policy/fields.ts';
import type { Condition, Expr, Interval, Test } from '../../src/policy/ir.ts';

export interface Assignment {
  readonly fields: ReadonlyMap<FieldName, bigint>;
  /** Kinds of TCP options that have to be there. */
  readonly tcpOptions: readonly number[];
}

export const NOTHING_ASSIGNED: Assignment = { fields: new Map(), tcpOptions: [] };

/** The assignment changed so that the conditions hold: `require` true, `hotdrop` false. Stateful ones are left to luck. */
export function satisfyAll(start: Assignment, conditions: readonly Condition[]): Assignment {
  return conditions.reduce((state, condition) => {
    if (condition.kind === 'stateful') return state;
    return satisfy(state, condition.expr, condition.kind === 'require');
  }, start);
}

/** The assignment changed so that `expr` has the wanted value, if that is easily done. */
export function satisfy(state: Assignment, expr: Expr, wanted: boolean): Assignment {
  switch (expr.kind) {
    case 'constant':
    case 'tcpOptionsReadable':
      return state;
    case 'not':
      return satisfy(state, expr.expr, !wanted);
    case 'tcpOption': {
      const others = state.tcpOptions.filter((option) => option !== expr.option);
      return { ...state, tcpOptions: wanted ? [...others, expr.option] : others };
    }
    case 'test':
      return satisfyTest(state, expr, wanted);
    case 'all':
    case 'any': {
      // One member is enough to make an `any` true or an `all` false.
      const enough = (expr.kind === 'any') === wanted;
      const members = enough ? expr.exprs.slice(0, 1) : expr.exprs;
      return members.reduce((next, member) => satisfy(next, member, wanted), state);
    }
  }
}

function satisfyTest(state: Assignment, test: Test, wanted: boolean): Assignment {
  const mask = test.mask ?? fieldMax(test.field);
  const present = state.fields.get(test.field);
  const inside = (value: bigint): boolean => isInside(value & mask, test.ranges);
  if (present !== undefined && inside(present) === wanted) return state;
  const candidate = valuesAround(test).find((value) => inside(value) === wanted);
  return candidate === undefined ? state : assign(state, test.field, ((present ?? 0n) & ~mask) | candidate);
}

export function assign(state: Assignment, field: FieldName, value: bigint): Assignment {
  return { ...state, fields: new Map(state.fields).set(field, value) };
}

/**
 * Values of `field & mask` worth trying for a test, without bits outside the mask: both ends of each interval, the middle,
 * and the neighbours outside.
 */
export function valuesAround(test: Test): readonly bigint[] {
  const max = test.mask ?? fieldMax(test.field);
  const values = test.ranges.flatMap(({ min, max: last }) => [min, last, (min + last) / 2n, min - 1n, last + 1n]);
  return [...new Set([...values.filter((value) => value >= 0n && value <= max).map((value) => value & max), 0n, max])];
}

function isInside(value: bigint, ranges: readonly Interval[]): boolean {
  return ranges.some((range) => range.min <= value && value <= range.max);
}

/** All tests inside an expression. */
export function testsOf(expr: Expr): readonly Test[] {
  switch (expr.kind) {
    case 'test':
      return [expr];
    case 'not':
      return testsOf(expr.expr);
    case 'all':
    case 'any':
      return expr.exprs.flatMap(testsOf);
    default:
      return [];
  }
}
