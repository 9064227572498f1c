/**
 * Building expressions in canonical form, so that equal questions have equal trees:
 *
 *     constants are folded away, except when they are the whole answer
 *     `not` stands only before the TCP option tests and scans; before a test it becomes the complement of its ranges
 *     `all` and `any` are never nested in their own kind and have at least two members
 *     two tests of one field and mask inside one `all` or `any` are one test
 *     a test's mask is neither 0 nor all ones; its ranges are sorted, disjoint, not adjacent, and begin and end at values
 *     that the mask can leave
 *
 * Reading a field has no effect, so merging keeps the meaning; a merged test stands where its first part stood, hence
 * never before a test that guards it.
 */

import { FIELDS, type FieldName } from './fields.ts';
import type { Condition, Expr, Interval, PayloadTest, Test } from './ir.ts';

export const TRUE: Extract<Expr, { readonly kind: 'constant' }> = Object.freeze({ kind: 'constant', value: true });
export const FALSE: Extract<Expr, { readonly kind: 'constant' }> = Object.freeze({ kind: 'constant', value: false });

const ONES = Object.fromEntries(
  Object.entries(FIELDS).map(([field, { bits }]) => [field, (1n << BigInt(bits)) - 1n]),
) as Record<FieldName, bigint>;

/** All ones in the width of a field: its largest value. */
export function fieldMax(field: FieldName): bigint {
  return ONES[field];
}

/** Sorts intervals and joins those that overlap or touch; drops empty ones. */
export function normaliseRanges(ranges: readonly Interval[]): readonly Interval[] {
  const [only] = ranges;
  // By far the most common case.
  if (ranges.length === 1 && only!.min <= only!.max) {
    if (Object.isFrozen(ranges) && Object.isFrozen(only)) return ranges;
    return Object.freeze([Object.freeze({ min: only!.min, max: only!.max })]);
  }
  const sorted = ranges.filter((r) => r.min <= r.max).sort((a, b) => (a.min < b.min ? -1 : a.min > b.min ? 1 : 0));
  const out: Interval[] = [];
  for (const range of sorted) {
    const last = out.at(-1);
    if (last === undefined || range.min > last.max + 1n) out.push(range);
    else if (range.max > last.max) out[out.length - 1] = { min: last.min, max: range.max };
  }
  return Object.freeze(out.map((r) => Object.freeze({ min: r.min, max: r.max })));
}

/** What normalised ranges leave out of 0..max. */
export function complementRanges(ranges: readonly Interval[], max: bigint): readonly Interval[] {
  const out: Interval[] = [];
  let next = 0n;
  for (const range of ranges) {
    if (range.min > next) out.push(Object.freeze({ min: next, max: range.min - 1n }));
    next = range.max + 1n;
  }
  if (next <= max) out.push(Object.freeze({ min: next, max }));
  return Object.freeze(out);
}

/** The values that lie in both of two normalised lists; normalised, because what separates two intervals of one list stays. */
export function intersectRanges(a: readonly Interval[], b: readonly Interval[]): readonly Interval[] {
  if (a === b) return a;
  const out: Interval[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const x = a[i]!;
    const y = b[j]!;
    const min = larger(x.min, y.min);
    const max = smaller(x.max, y.max);
    if (min <= max) out.push(Object.freeze({ min, max }));
    if (x.max <= y.max) i++;
    else j++;
  }
  return Object.freeze(out);
}

function larger(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}

function smaller(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

/**
 * Ranges over values `x & mask`, reduced to what can occur: both ends become values without bits outside the mask, and
 * ranges with nothing that can occur between them are joined.
 */
function tighten(ranges: readonly Interval[], mask: bigint): readonly Interval[] {
  const out: Interval[] = [];
  for (const range of ranges) {
    const min = subsetAtLeast(larger(range.min, 0n), mask);
    const max = subsetAtMost(smaller(range.max, mask), mask);
    if (min === undefined || min > max) continue;
    const last = out.at(-1);
    if (last !== undefined && subsetAtLeast(last.max + 1n, mask) === min) out[out.length - 1] = { min: last.min, max };
    else out.push({ min, max });
  }
  return normaliseRanges(out);
}

/** Nothing to reduce: one interval within a whole field, or one value that the mask can leave. Almost every test. */
function isTight(ranges: readonly Interval[], mask: bigint, ones: bigint): boolean {
  const [only] = ranges;
  if (only === undefined || ranges.length > 1 || only.min < 0n || only.min > only.max) return false;
  return mask === ones ? only.max <= ones : only.min === only.max && (only.min & mask) === only.min;
}

/** The smallest value >= `value` without bits outside `mask`. */
function subsetAtLeast(value: bigint, mask: bigint): bigint | undefined {
  const width = BigInt((value & ~mask).toString(2).length);
  if ((value & ~mask) === 0n) return value;
  // The highest bit that may not be there has to be carried away into the bits above it.
  const high = ((value | ~mask) >> width) + 1n;
  const result = (high << width) & mask;
  return result > value ? result : undefined;
}

/** The largest value <= `value` without bits outside `mask`. */
function subsetAtMost(value: bigint, mask: bigint): bigint {
  const outside = value & ~mask;
  if (outside === 0n) return value;
  const width = BigInt(outside.toString(2).length);
  return ((value >> width) << width) | (mask & ((1n << (width - 1n)) - 1n));
}

/** `(field & mask)` lies in one of `ranges`; no mask means all ones. Constant when no or every value does. */
export function test(field: FieldName, ranges: readonly Interval[], mask?: bigint): Expr {
  const ones = fieldMax(field);
  const bits = mask === undefined ? ones : mask & ones;
  const inside = canonical(ranges, bits, ones);
  if (!isQuestion(inside, bits)) return inside.length > 0 ? TRUE : FALSE;
  return Object.freeze(
    bits === ones ? { kind: 'test', field, ranges: inside } : { kind: 'test', field, mask: bits, ranges: inside },
  );
}

/** Bytes of the packet as a number, masked, in one of `ranges`; see PayloadTest. */
export function payload(
  where: Pick<PayloadTest, 'base' | 'offset' | 'bits'>,
  ranges: readonly Interval[],
  mask?: bigint,
): Expr {
  const { base, offset, bits } = where;
  const ones = (1n << BigInt(bits)) - 1n;
  const kept = mask === undefined ? ones : mask & ones;
  const inside = canonical(ranges, kept, ones);
  if (!isQuestion(inside, kept)) return inside.length > 0 ? TRUE : FALSE;
  return Object.freeze({
    kind: 'payload',
    base,
    offset,
    bits,
    ...(kept === ones ? {} : { mask: kept }),
    ranges: inside,
  });
}

/** Ranges of what the mask `bits` leaves of numbers up to `ones`, in canonical form. */
function canonical(ranges: readonly Interval[], bits: bigint, ones: bigint): readonly Interval[] {
  return isTight(ranges, bits, ones) ? normaliseRanges(ranges) : tighten(normaliseRanges(ranges), bits);
}

/** Some values under the mask `bits` lie in the canonical ranges, and some do not. */
function isQuestion(ranges: readonly Interval[], bits: bigint): boolean {
  return ranges.length > 0 && (ranges.length > 1 || ranges[0]!.min !== 0n || ranges[0]!.max !== bits);
}

/** field == value */
export function equals(field: FieldName, value: bigint | number): Expr {
  return between(field, value, value);
}

/** min <= field <= max; an empty interval is false. Thousands of rules ask for the same few small numbers: those tests are shared. */
export function between(field: FieldName, min: bigint | number, max: bigint | number): Expr {
  if (typeof min !== 'number' || typeof max !== 'number' || min < 0 || max < min || max >= SHARED_VALUES) {
    return test(field, [{ min: BigInt(min), max: BigInt(max) }]);
  }
  const key = min * SHARED_VALUES + max;
  const known = SHARED[field].get(key);
  if (known !== undefined) return known;
  const made = test(field, [{ min: BigInt(min), max: BigInt(max) }]);
  SHARED[field].set(key, made);
  return made;
}

/** Numbers below this. */
const SHARED_VALUES = 256;
const SHARED = Object.fromEntries(Object.keys(FIELDS).map((field) => [field, new Map<number, Expr>()])) as Record<
  FieldName,
  Map<number, Expr>
>;

/** (field & mask) == value; false when value has bits outside the mask. */
export function masked(field: FieldName, value: bigint | number, mask: bigint | number): Expr {
  if (mask === fieldMax(field)) return equals(field, value);
  return (BigInt(value) & ~BigInt(mask)) !== 0n
    ? FALSE
    : test(field, [{ min: BigInt(value), max: BigInt(value) }], BigInt(mask));
}

/** Some bit of `bits` is set in the field. */
export function anyBit(field: FieldName, bits: bigint | number): Expr {
  return not(masked(field, 0n, bits));
}

export function not(expr: Expr): Expr {
  switch (expr.kind) {
    case 'constant':
      return expr.value ? FALSE : TRUE;
    case 'test':
      return test(expr.field, complementRanges(expr.ranges, expr.mask ?? fieldMax(expr.field)), expr.mask);
    case 'payload':
      return payload(expr, complementRanges(expr.ranges, expr.mask ?? (1n << BigInt(expr.bits)) - 1n), expr.mask);
    case 'not':
      return expr.expr;
    case 'all':
      return any(...expr.exprs.map(not));
    case 'any':
      return all(...expr.exprs.map(not));
    case 'tcpOption':
    case 'tcpOptionsReadable':
    case 'scan':
      return Object.freeze({ kind: 'not', expr });
  }
}

/** `expr`, or its negation when `invert` is set. */
export function invertIf(invert: boolean, expr: Expr): Expr {
  return invert ? not(expr) : expr;
}

/** Every one holds; true when there is none. */
export function all(...exprs: readonly Expr[]): Expr {
  return combine('all', exprs);
}

/** At least one holds; false when there is none. */
export function any(...exprs: readonly Expr[]): Expr {
  return combine('any', exprs);
}

function combine(kind: 'all' | 'any', exprs: readonly Expr[]): Expr {
  const neutral = kind === 'all';
  const out: Expr[] = [];
  for (const expr of exprs.flatMap((e) => (e.kind === kind ? e.exprs : [e]))) {
    if (expr.kind === 'constant') {
      if (expr.value === neutral) continue;
      return expr;
    }
    const at =
      expr.kind !== 'test'
        ? -1
        : out.findIndex((e) => e.kind === 'test' && e.field === expr.field && e.mask === expr.mask);
    if (at === -1) {
      out.push(expr);
      continue;
    }
    const joined = join(kind, out[at] as Test, expr as Test);
    if (joined.kind !== 'constant') out[at] = joined;
    else if (joined.value === neutral) out.splice(at, 1);
    else return joined;
  }
  if (out.length === 0) return neutral ? TRUE : FALSE;
  return out.length === 1 ? out[0]! : Object.freeze({ kind, exprs: Object.freeze(out) });
}

function join(kind: 'all' | 'any', a: Test, b: Test): Expr {
  const ranges = kind === 'all' ? intersectRanges(a.ranges, b.ranges) : [...a.ranges, ...b.ranges];
  return test(a.field, ranges, a.mask);
}

const ASKS_NOTHING: Condition = Object.freeze({ kind: 'require', expr: TRUE });

/** Condition "no match unless `expr`". */
export function require(expr: Expr): Condition {
  if (expr === TRUE) return ASKS_NOTHING;
  return Object.freeze({ kind: 'require', expr });
}

/** Condition "drop the packet uncounted if `expr`". */
export function hotdrop(expr: Expr): Condition {
  return Object.freeze({ kind: 'hotdrop', expr });
}

/** Condition "drop the packet behind this rule, matching or not, if `expr`": a match that says hotdrop and yet goes on. */
export function doom(expr: Expr): Condition {
  return Object.freeze({ kind: 'doom', expr });
}

/** Leaves out the conditions that can change nothing: require true, hotdrop false, doom false. */
export function conditions(...list: readonly Condition[]): readonly Condition[] {
  return Object.freeze(list.filter(canChangeSomething));
}

function canChangeSomething(c: Condition): boolean {
  return c.kind === 'stateful' || c.expr.kind !== 'constant' || c.expr.value !== (c.kind === 'require');
}
