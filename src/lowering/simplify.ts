/**
 * Takes out of a rule what its earlier conditions have already answered.
 *
 * A packet does not change while a rule looks at it, so behind `require F in R` the field F is known to lie in R, and
 * behind `hotdrop F in R` it is known not to. A later question about F (under the same mask) whose answer follows is
 * dropped; one that can no longer be true makes the rest of the rule unreachable, and the rest goes.
 *
 * Order and effects stay: no condition moves, and a hotdrop, doom or stateful test goes only if it can do nothing.
 */

import {
  all,
  any,
  complementRanges,
  doom,
  FALSE,
  fieldMax,
  hotdrop,
  intersectRanges,
  require,
  TRUE,
} from '../policy/expr.ts';
import type { Condition, Expr, Interval, Test } from '../policy/ir.ts';

/** The same rule with fewer conditions. A rule that never matches and never drops is `[require false]`. */
export function simplifyConditions(list: readonly Condition[]): readonly Condition[] {
  const known: Knowledge = [];
  const out: Condition[] = [];
  for (const condition of list.some(isSeveral) ? list.flatMap(split) : list) {
    if (condition.kind === 'stateful') {
      out.push(condition);
      continue;
    }
    const expr = answer(known, condition.expr);
    if (condition.kind === 'require') {
      if (expr.kind === 'constant' && !expr.value) {
        out.push(require(FALSE));
        return Object.freeze(dropIdle(out));
      }
      if (expr.kind === 'constant') continue;
      out.push(expr === condition.expr ? condition : require(expr));
      if (expr.kind === 'test') learn(known, expr, expr.ranges);
    } else if (condition.kind === 'doom') {
      if (expr.kind !== 'constant' || expr.value) out.push(expr === condition.expr ? condition : doom(expr));
    } else {
      if (expr.kind === 'constant' && !expr.value) continue;
      out.push(expr === condition.expr ? condition : hotdrop(expr));
      if (expr.kind === 'constant') return Object.freeze(out);
      if (expr.kind === 'test') learn(known, expr, complementRanges(expr.ranges, expr.mask ?? fieldMax(expr.field)));
    }
  }
  return Object.freeze(out);
}

function isSeveral(condition: Condition): boolean {
  return condition.kind === 'require' && condition.expr.kind === 'all';
}

/** `require (a and b)` is `require a`, `require b`. */
function split(condition: Condition): readonly Condition[] {
  return condition.kind === 'require' && condition.expr.kind === 'all'
    ? condition.expr.exprs.map(require)
    : [condition];
}

/** Before `require false` only what has effects is worth running: everything up to the last hotdrop or stateful test. */
function dropIdle(list: readonly Condition[]): readonly Condition[] {
  const lastEffect = list.findLastIndex((condition) => condition.kind !== 'require');
  return [...list.slice(0, lastEffect + 1), ...list.slice(-1)];
}

/** What is known of fields under masks: the values they can still have. A rule asks about a few: a list is quicker than a map. */
type Knowledge = { readonly about: Test; ranges: readonly Interval[] }[];

function knownOf(known: Knowledge, about: Test): Knowledge[number] | undefined {
  for (const item of known) if (item.about.field === about.field && item.about.mask === about.mask) return item;
  return undefined;
}

function learn(known: Knowledge, about: Test, ranges: readonly Interval[]): void {
  const before = knownOf(known, about);
  if (before === undefined) known.push({ about, ranges });
  else before.ranges = intersectRanges(before.ranges, ranges);
}

/** The expression with those parts that are already decided replaced by their answer. */
function answer(known: Knowledge, expr: Expr): Expr {
  switch (expr.kind) {
    case 'all':
      return all(...expr.exprs.map((member) => answer(known, member)));
    case 'any':
      return any(...expr.exprs.map((member) => answer(known, member)));
    case 'test': {
      const before = knownOf(known, expr)?.ranges;
      // By itself a test is never constant (see expr.ts).
      if (before === undefined) return expr;
      const left = intersectRanges(before, expr.ranges);
      return left.length === 0 ? FALSE : sameRanges(left, before) ? TRUE : expr;
    }
    default:
      return expr;
  }
}

function sameRanges(a: readonly Interval[], b: readonly Interval[]): boolean {
  return a.length === b.length && a.every((range, at) => range.min === b[at]!.min && range.max === b[at]!.max);
}
