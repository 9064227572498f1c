/** The guards of many rules as one question: is this packet broken for any of them? */
import { all, any, normaliseRanges, test } from '../policy/expr.ts';
import type { FieldName } from '../policy/fields.ts';
import type { Expr, Interval, Test } from '../policy/ir.ts';
import { sameScan } from '../policy/scan.ts';
import type { Guard } from './split-rule.ts';

interface Merged {
  readonly hotdrop: Expr;
  /** Fields that every rule with this hotdrop has tested before it, with all values that some rule lets through. */
  context: Map<FieldName, readonly Interval[]>;
}

export interface GuardCollector {
  add(guard: Guard): void;
  /** True for every packet for which some rule's guard could be true, and for hardly any other. */
  broken(): Expr;
}

export function guardCollector(): GuardCollector {
  const merged: Merged[] = [];
  // Thousands of rules bring the same few guards, each built anew.
  const seen: Guard[] = [];
  return {
    add(guard) {
      if (seen.some((other) => sameGuard(other, guard))) return;
      seen.push(guard);
      const before = merged.find(({ hotdrop }) => sameExpr(hotdrop, guard.hotdrop));
      if (before === undefined) {
        const context = new Map(guard.context.map((about) => [about.field, about.ranges]));
        merged.push({ hotdrop: guard.hotdrop, context });
      } else {
        before.context = mergeContext(before.context, guard.context);
      }
    },
    broken() {
      return any(
        ...merged.map(({ hotdrop, context }) =>
          all(...Array.from(context, ([field, ranges]) => test(field, ranges)), hotdrop),
        ),
      );
    },
  };
}

function mergeContext(
  before: ReadonlyMap<FieldName, readonly Interval[]>,
  context: readonly Test[],
): Map<FieldName, readonly Interval[]> {
  const out = new Map<FieldName, readonly Interval[]>();
  for (const about of context) {
    const ranges = before.get(about.field);
    if (ranges !== undefined) out.set(about.field, normaliseRanges([...ranges, ...about.ranges]));
  }
  return out;
}

function sameGuard(a: Guard, b: Guard): boolean {
  return sameExpr(a.hotdrop, b.hotdrop) && sameList(a.context, b.context);
}

export function sameList(a: readonly Expr[], b: readonly Expr[]): boolean {
  return a.length === b.length && a.every((expr, i) => sameExpr(expr, b[i]!));
}

/** Equal as trees; expressions are in canonical form, so equal questions are. */
export function sameExpr(a: Expr, b: Expr): boolean {
  // Tests of small numbers are shared by all rules.
  if (a === b) return true;
  switch (a.kind) {
    case 'constant':
      return b.kind === a.kind && a.value === b.value;
    case 'test':
      return b.kind === a.kind && a.field === b.field && a.mask === b.mask && sameRanges(a.ranges, b.ranges);
    case 'payload':
      return (
        b.kind === a.kind &&
        a.base === b.base &&
        a.offset === b.offset &&
        a.bits === b.bits &&
        a.mask === b.mask &&
        sameRanges(a.ranges, b.ranges)
      );
    case 'scan':
      return b.kind === a.kind && a.outcome === b.outcome && sameScan(a.scan, b.scan);
    case 'tcpOption':
      return b.kind === a.kind && a.option === b.option;
    case 'tcpOptionsReadable':
      return b.kind === a.kind;
    case 'not':
      return b.kind === a.kind && sameExpr(a.expr, b.expr);
    case 'all':
    case 'any':
      return b.kind === a.kind && sameList(a.exprs, b.exprs);
  }
}

function sameRanges(a: readonly Interval[], b: readonly Interval[]): boolean {
  return a === b || (a.length === b.length && a.every(({ min, max }, i) => min === b[i]!.min && max === b[i]!.max));
}
