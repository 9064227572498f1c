/**
 * A rule of a chain as a run's program can take it without being made anew: boxes over the dimensions it computes, an action it has, guards it asks.
 */

import { fieldMax } from '../../policy/expr.ts';
import type { Action, Expr, PolicyRule, Test } from '../../policy/ir.ts';
import { addRows, axisFinder, partsOf } from '../box-parts.ts';
import { type Axis, type Dimension, wordsUsed } from '../dimension.ts';
import { EXTRACT_OPTIONS } from '../extract.ts';
import { guardRowsBuilder } from '../guard-rows.ts';
import { guardCollector, sameExpr } from '../guards.ts';
import { type Rows, rowsBuilder } from '../rows.ts';
import type { RunAction, RunShape } from '../shape.ts';
import { splitRule } from '../split-rule.ts';
import type { LiveRule } from './change.ts';
import { boxOf } from './live-rows.ts';

/**
 * The rule in the run of this shape, with this byte offset of its counter. Undefined: another shape is needed, because the rule asks what is no dimension
 * (or between a rank's boundaries), does what no rule did, has conditions beside its boxes, or a guard of a new kind.
 */
export function liveRule(rule: PolicyRule, shape: RunShape, counter: number): LiveRule | undefined {
  const split = splitRule(rule);
  const action = shape.actions.findIndex((item) => item.kind === 'act' && sameAction(item, rule.action));
  if (split.residual.length > 0 || (action < 0 && !split.never)) return undefined;
  const max = shape.dimensions.map((dimension) => dimension.max);
  const axes = axesOf(shape.dimensions);
  const find = axisFinder(axes);
  let exact = true;
  const boxes = (tests: readonly Test[]): ReturnType<typeof partsOf> => {
    exact &&= tests.every((test) => isExact(find(test), test));
    return partsOf(tests, find, EXTRACT_OPTIONS.maxRowsPerRule);
  };
  const guards: { guard: number; boxes: ReturnType<typeof boxesOf> }[] = [];
  if (split.guards.length > 0) {
    const rows = guardRowsBuilder(max, split.guards.length);
    if (!rows.add(0, split.guards, boxes)) return undefined;
    for (const { hotdrop, rows: own } of rows.finish()) {
      const guard = shape.guards.findIndex((known) => sameExpr(known.hotdrop, hotdrop));
      if (guard < 0) return undefined;
      guards.push({ guard, boxes: boxesOf(own) });
    }
    const collector = guardCollector();
    for (const guard of split.guards) collector.add(guard);
    if (
      !alternatives(collector.broken()).every((one) => alternatives(shape.broken).some((known) => sameExpr(known, one)))
    ) {
      return undefined;
    }
  }
  const builder = rowsBuilder(max);
  if (!split.never) {
    const { parts, left } = boxes(split.box);
    if (left.length > 0) return undefined;
    addRows(builder, 0, split.final, parts);
  }
  if (!exact) return undefined;
  return { boxes: boxesOf(builder.finish()), guards, final: split.final, counter, action: Math.max(0, action) };
}

function boxesOf(rows: Rows) {
  return Array.from({ length: rows.count }, (_, row) => boxOf(rows, row));
}

function alternatives(expr: Expr): readonly Expr[] {
  return expr.kind === 'any' ? expr.exprs : [expr];
}

/** The axes that the dimensions of a run came from: those of one axis lie side by side. */
function axesOf(dimensions: readonly Dimension[]): readonly Axis[] {
  const axes: { field: Axis['field']; mask?: bigint; first: number; dimensions: Dimension[] }[] = [];
  dimensions.forEach((dimension, first) => {
    const { field, mask } = dimension;
    const last = axes.at(-1);
    if (last !== undefined && last.field === field && last.mask === mask) last.dimensions.push(dimension);
    else axes.push({ field, ...(mask === undefined ? {} : { mask }), first, dimensions: [dimension] });
  });
  return axes;
}

/** Whether the dimensions of the axis tell the values of the test from the others. */
function isExact(axis: Axis | undefined, { field, mask, ranges }: Test): boolean {
  // Without an axis it is `left` to the rule.
  if (axis === undefined) return true;
  const { part } = axis.dimensions[0]!;
  const top = mask ?? fieldMax(field);
  switch (part.kind) {
    case 'whole':
      return true;
    case 'word':
      return ranges.every((range) => wordsUsed(field, range) <= axis.dimensions.length);
    case 'rank':
      return ranges.every(
        ({ min, max }) =>
          (min === 0n || part.boundaries.includes(min - 1n)) && (max >= top || part.boundaries.includes(max)),
      );
  }
}

function sameAction(item: Extract<RunAction, { kind: 'act' }>, action: Action): boolean {
  const one = item.action;
  switch (action.kind) {
    case 'accept':
    case 'drop':
    case 'return':
    case 'continue':
      return one.kind === action.kind;
    case 'reject':
      return one.kind === 'reject' && one.with === action.with;
    case 'goto':
      return one.kind === 'goto' && one.chain === action.chain;
    default:
      return false;
  }
}
