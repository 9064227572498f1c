/**
 * Field values that make a rule's conditions hold: what the directed generator starts from.
 *
 * This is no solver. It walks the conditions once and adjusts one value after the other, which is enough for conditions
 * that do not contradict each other; where they do, the packet simply does not match, and that is worth sending too.
 */

import { fieldMax } from '../../src/policy/expr.ts';
import type { FieldName } from '../../src/policy/fields.ts';
import type { Condition, Expr, Interval, PayloadTest, Test } from '../../src/policy/ir.ts';

export interface Assignment {
  readonly fields: ReadonlyMap<FieldName, bigint>;
  /** Kinds of TCP options that have to be there. */
  readonly tcpOptions: readonly number[];
  /** Bytes of the packet by `payloadKey`. */
  readonly bytes: ReadonlyMap<string, number>;
}

export const NOTHING_ASSIGNED: Assignment = { fields: new Map(), tcpOptions: [], bytes: new Map() };

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
    case 'scan':
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
    case 'payload':
      return satisfyPayload(state, expr, wanted);
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

function satisfyPayload(state: Assignment, test: PayloadTest, wanted: boolean): Assignment {
  const mask = test.mask ?? (1n << BigInt(test.bits)) - 1n;
  const present = assignedPayload(state, test);
  const inside = (value: bigint): boolean => isInside(value & mask, test.ranges);
  if (present !== undefined && inside(present) === wanted) return state;
  const candidate = valuesAround(test).find((value) => inside(value) === wanted);
  return candidate === undefined ? state : assignPayload(state, test, ((present ?? 0n) & ~mask) | candidate);
}

/** The number at the bytes that a test asks about; undefined when none of them is assigned. */
export function assignedPayload({ bytes }: Assignment, { base, offset, bits }: PayloadTest): bigint | undefined {
  const list = Array.from({ length: bits / 8 }, (_, at) => bytes.get(payloadKey(base, offset + at)));
  if (list.every((byte) => byte === undefined)) return undefined;
  return list.reduce<bigint>((value, byte) => (value << 8n) | BigInt(byte ?? 0), 0n);
}

/** The assignment with this number at the bytes that a test asks about. */
export function assignPayload(
  state: Assignment,
  { base, offset, bits }: Pick<PayloadTest, 'base' | 'offset' | 'bits'>,
  value: bigint,
): Assignment {
  const next = new Map(state.bytes);
  for (let at = 0; at < bits / 8; at++)
    next.set(payloadKey(base, offset + at), Number((value >> BigInt(bits - 8 * (at + 1))) & 0xffn));
  return { ...state, bytes: next };
}

/** `network 9`: how `Assignment.bytes` names the byte at an offset. */
function payloadKey(base: PayloadTest['base'], offset: number): string {
  return `${base} ${offset}`;
}

export function assign(state: Assignment, field: FieldName, value: bigint): Assignment {
  return { ...state, fields: new Map(state.fields).set(field, value) };
}

/**
 * Values of `field & mask` worth trying for a test, without bits outside the mask: both ends of each interval, the middle,
 * and the neighbours outside.
 */
export function valuesAround(test: Test | PayloadTest): readonly bigint[] {
  const max = test.mask ?? (test.kind === 'test' ? fieldMax(test.field) : (1n << BigInt(test.bits)) - 1n);
  const values = test.ranges.flatMap(({ min, max: last }) => [min, last, (min + last) / 2n, min - 1n, last + 1n]);
  return [...new Set([...values.filter((value) => value >= 0n && value <= max).map((value) => value & max), 0n, max])];
}

function isInside(value: bigint, ranges: readonly Interval[]): boolean {
  return ranges.some((range) => range.min <= value && value <= range.max);
}

/** All tests inside an expression. */
export function testsOf(expr: Expr): readonly (Test | PayloadTest)[] {
  switch (expr.kind) {
    case 'test':
    case 'payload':
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
