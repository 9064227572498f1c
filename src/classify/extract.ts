/**
 * From a chain to runs of rules that a look-up can decide, and the rules between them that run one after the other.
 *
 * A run is a first-match list of boxes: `rows` with one entry for each rule. A look-up gives the first rule from some rule on whose
 * box holds the packet; what is left of the rule (residual, action) then happens, and unless that ended the chain, the look-up goes on
 * behind it.
 */
import { fieldMax } from '../policy/expr.ts';
import { FIELDS } from '../policy/fields.ts';
import type { Condition, Expr, Test } from '../policy/ir.ts';
import { isColumns, type RuleSequence, ruleLike } from '../policy/policy-columns.ts';
import { addRows, addSimpleRow, axisFinder, partsOf } from './box-parts.ts';
import { kindQuestions, kindRows } from './column-rows.ts';
import { type Axis, type Dimension, planAxis, wordsUsed } from './dimension.ts';
import { type GuardRows, guardRowsBuilder } from './guard-rows.ts';
import { guardCollector } from './guards.ts';
import { MOST_BOUNDARIES, type Questions } from './questions.ts';
import { type Rows, rowsBuilder } from './rows.ts';
import { splitRule } from './split-rule.ts';

export interface Run {
  readonly kind: 'run';
  /** Rules from..to) of the chain; entry e of `rows` is rule from + e. */
  readonly from: number;
  readonly to: number;
  readonly dimensions: readonly Dimension[];
  readonly rows: Rows;
  /** Conditions that remain to be run once the box has matched; rules that are not named have none. */
  readonly residual: ReadonlyMap<number, readonly Condition[]>;
  /** No rule drops a packet by a guard for which this is false. */
  readonly broken: Expr;
  /** Where guards drop, for each kind of guard: entries as in `rows`, over the same dimensions. */
  readonly guards: readonly GuardRows[];
}

export interface Linear {
  readonly kind: 'linear';
  readonly from: number;
  readonly to: number;
}

export type Segment = Run | Linear;

export interface ExtractOptions {
  /** Fewer rules are not worth a look-up. */
  readonly minRules: number;
  /** Fields under masks that a look-up may ask about; tests of others stay with their rules. */
  readonly maxAxes: number;
  /** Boxes of one rule at most. */
  readonly maxRowsPerRule: number;
}

export const EXTRACT_OPTIONS: ExtractOptions = { minRules: 24, maxAxes: 12, maxRowsPerRule: 64 };

/** The segments of a chain in order; together they are all its rules. */
export function extractRuns(rules: RuleSequence, options: ExtractOptions = EXTRACT_OPTIONS): readonly Segment[] {
  const askedByKind = isColumns(rules) ? kindQuestions(rules) : undefined;
  const segments: Segment[] = [];
  const stops = stopsLookUps(rules);
  let questions: Questions = new Map();
  let linearFrom = 0;
  let from = 0;
  const close = (to: number): void => {
    if (to - from >= options.minRules) {
      if (from > linearFrom) segments.push({ kind: 'linear', from: linearFrom, to: from });
      segments.push(extractRun(rules, from, to, planAxes(questions, options.maxAxes), options));
      linearFrom = to;
    }
    from = to + 1;
    questions = new Map();
    askedByKind?.forget();
  };
  // What is split here is split again for the rows: keeping it for all rules costs more than making it twice.
  for (let index = 0; index < rules.length; index++) {
    if (askedByKind?.add(index) === true) continue;
    const rule = splitRule(rules.at(index)!);
    // Asked of every packet and never the end of it: a look-up would stop there every time.
    if (stops && !rule.final && !rule.never && rule.box.length === 0) close(index);
    else {
      for (const test of rule.box) collect(questions, test);
      // What was asked before a guard may have been narrowed behind it.
      for (const { before } of rule.guards) {
        for (const test of before) if (!rule.box.includes(test)) collect(questions, test);
      }
      askedByKind?.learn(index, rule, questions);
    }
  }
  close(rules.length);
  if (linearFrom < rules.length) segments.push({ kind: 'linear', from: linearFrom, to: rules.length });
  return segments;
}

/** From here on rules without a box are too much code: they are looked at one after the other, but in memory (ordered.ts). */
const MANY_STOPS = 500;

/** Whether rules without a box that may let packets go on stay outside of runs. */
function stopsLookUps(rules: RuleSequence): boolean {
  let count = 0;
  for (let at = 0; at < rules.length; at++) {
    const { conditions, action } = ruleLike(rules, at);
    const plain = conditions.some((condition) => condition.kind === 'require' && condition.expr.kind === 'test');
    if (!plain && (conditions.length > 0 || action.kind === 'continue' || action.kind === 'log')) count++;
  }
  return count < MANY_STOPS;
}

function extractRun(
  rules: RuleSequence,
  from: number,
  to: number,
  axes: readonly Axis[],
  options: ExtractOptions,
): Run {
  const dimensions = axes.flatMap((axis) => axis.dimensions);
  const max = dimensions.map((dimension) => dimension.max);
  const builder = rowsBuilder(max, to - from);
  const guards = guardCollector();
  const guardRows = guardRowsBuilder(max, to - from);
  const residual = new Map<number, readonly Condition[]>();
  const find = axisFinder(axes);
  const { maxRowsPerRule } = options;
  const addKind = isColumns(rules)
    ? kindRows(rules, { from, builder, guardRows, residual, find, maxRowsPerRule })
    : undefined;
  for (let index = from; index < to; index++) {
    if (addKind?.(index) === true) continue;
    const rule = splitRule(rules.at(index)!);
    if (rule.guards.length > 0) {
      const boxes = (tests: readonly Test[]) => partsOf(tests, find, options.maxRowsPerRule);
      if (!guardRows.add(index - from, rule.guards, boxes, find)) {
        // Some guard is none that a look-up can ask about: the rule runs as it stands wherever the tests before it hold.
        residual.set(index, rules.at(index)!.conditions);
        addRows(builder, index - from, false, boxes(rule.guards[0]!.before).parts);
        continue;
      }
      for (const guard of rule.guards) guards.add(guard);
    }
    if (rule.never) continue;
    if (addSimpleRow(builder, index - from, rule.final, rule.box, find)) {
      if (rule.residual.length > 0) residual.set(index, rule.residual);
      continue;
    }
    const { parts, left } = partsOf(rule.box, find, options.maxRowsPerRule);
    const rest = left.length === 0 ? rule.residual : [...left, ...rule.residual];
    if (rest.length > 0) residual.set(index, rest);
    addRows(builder, index - from, rule.final && rest.length === 0, parts);
  }
  const broken = guards.broken();
  return { kind: 'run', from, to, dimensions, rows: builder.finish(), residual, broken, guards: guardRows.finish() };
}

/** Every field and mask that is asked about; where there are too many, those that most rules ask about. */
function planAxes(questions: Questions, maxAxes: number): readonly Axis[] {
  const kept = Array.from(questions.values())
    .flat()
    .sort((a, b) => b.uses - a.uses)
    .slice(0, maxAxes);
  // A run has one dimension at least, asked or not.
  if (kept.length === 0) kept.push({ field: 'meta.length', mask: undefined, boundaries: new Set(), uses: 0, words: 1 });
  const axes: Axis[] = [];
  let first = 0;
  for (const { field, mask, boundaries, words } of kept) {
    const sorted = [...boundaries].sort((a, b) => (a < b ? -1 : 1));
    const axis = planAxis(field, mask, sorted, first, words);
    axes.push(axis);
    first += axis.dimensions.length;
  }
  return axes;
}

function collect(questions: Questions, test: Test): void {
  let ofField = questions.get(test.field);
  if (ofField === undefined) {
    ofField = [];
    questions.set(test.field, ofField);
  }
  let question = ofField.find((other) => other.mask === test.mask);
  if (question === undefined) {
    question = { field: test.field, mask: test.mask, boundaries: new Set(), uses: 0, words: 1 };
    ofField.push(question);
  }
  question.uses++;
  if (FIELDS[test.field].bits > 32) {
    for (const range of test.ranges) question.words = Math.max(question.words, wordsUsed(test.field, range));
  }
  if (question.boundaries.size > MOST_BOUNDARIES) return;
  for (const { min, max } of test.ranges) {
    if (min > 0n) question.boundaries.add(min - 1n);
    if (max < (test.mask ?? fieldMax(test.field))) question.boundaries.add(max);
  }
}
