/**
 * Where guards drop packets, as rows: the tests that a rule asks before its guard are a box, and a packet in it for which the guard's
 * hotdrop is true is dropped there, unless an earlier rule has decided. So a broken packet takes two look-ups, the rules' and one among the
 * guards that are true for it, and whichever finds the earlier entry wins; at the same entry the guard comes first.
 *
 * Guards of a rule with nothing but tests of headers between them are one: `A, hotdrop H, B, hotdrop I` drops packets in A for which
 * `H or (B and I)`. There are few such kinds in a rule set, however many rules.
 */
import { all, any } from '../policy/expr.ts';
import type { Expr, Test } from '../policy/ir.ts';
import { type AxisFinder, addRows, addSimpleRow, type BoxParts } from './box-parts.ts';
import { sameExpr, sameList } from './guards.ts';
import { type Rows, type RowsBuilder, rowsBuilder } from './rows.ts';
import { MAX_GUARDS } from './shape.ts';
import { CONTEXT, GUARDED, type Guard } from './split-rule.ts';

export interface GuardRows {
  readonly hotdrop: Expr;
  /** All final: the packet ends there. */
  readonly rows: Rows;
}

export interface GuardRowsBuilder {
  /** False, with nothing done, when the guards cannot be rows: a test before them has no box, or there are too many kinds. */
  add(entry: number, guards: readonly Guard[], boxes: (tests: readonly Test[]) => BoxParts, find?: AxisFinder): boolean;
  /** Where rows of rules with these guards go, and the boxes of their tests before; undefined where `add` says false. */
  places(guards: readonly Guard[], boxes: (tests: readonly Test[]) => BoxParts): readonly GuardPlace[] | undefined;
  finish(): readonly GuardRows[];
}

export interface GuardPlace {
  readonly rows: RowsBuilder;
  /** The tests before the guard. */
  readonly before: readonly Test[];
  readonly boxes: BoxParts;
}

/** One guard and the header tests between the one before it and itself. */
interface Step {
  readonly between: readonly Test[];
  readonly hotdrop: Expr;
}

/** Guards that are asked together. */
interface Group {
  readonly before: readonly Test[];
  readonly steps: readonly Step[];
}

interface Kind {
  readonly steps: readonly Step[];
  readonly rows: RowsBuilder;
}

export function guardRowsBuilder(max: readonly number[], expected: number): GuardRowsBuilder {
  const kinds: Kind[] = [];
  const kindOf = (steps: readonly Step[]): Kind | undefined => {
    const known = kinds.find((kind) => sameSteps(kind.steps, steps));
    if (known !== undefined || kinds.length === MAX_GUARDS) return known;
    const kind = { steps, rows: rowsBuilder(max, kinds.length === 0 ? expected : 16) };
    kinds.push(kind);
    return kind;
  };
  const places: GuardRowsBuilder['places'] = (guards, boxes) => {
    const found = groupsOf(guards).map(({ before, steps }) => ({ kind: kindOf(steps), before, boxes: boxes(before) }));
    if (found.some(({ kind, boxes: { left } }) => kind === undefined || left.length > 0)) return undefined;
    return found.map(({ kind, before, boxes: own }) => ({ rows: kind!.rows, before, boxes: own }));
  };
  return {
    add(entry, guards, boxes, find) {
      // Nearly all rules are like one before them.
      const known = kinds.find((kind) => isOfKind(kind.steps, guards));
      if (known !== undefined && find !== undefined && addSimpleRow(known.rows, entry, true, guards[0]!.before, find))
        return true;
      const found = places(guards, boxes);
      if (found === undefined) return false;
      for (const { rows, boxes: own } of found) addRows(rows, entry, true, own.parts);
      return true;
    },
    places,
    finish: () => kinds.map(({ steps, rows }) => ({ hotdrop: hotdropOf(steps), rows: rows.finish() })),
  };
}

/** Whether all the guards are one group of these steps, found without making anything. */
function isOfKind(steps: readonly Step[], guards: readonly Guard[]): boolean {
  if (steps.length !== guards.length) return false;
  let last = guards[0]!.before.length;
  for (let i = 0; i < guards.length; i++) {
    const { before, hotdrop } = guards[i]!;
    const { between } = steps[i]!;
    if (before.length - last !== between.length || !sameExpr(steps[i]!.hotdrop, hotdrop)) return false;
    // A test that was narrowed in between has another object in its place.
    for (let t = 0; i > 0 && t < last; t++) if (before[t] !== guards[i - 1]!.before[t]) return false;
    for (let t = 0; t < between.length; t++) if (!sameExpr(between[t]!, before[last + t]!)) return false;
    last = before.length;
  }
  return true;
}

function groupsOf(guards: readonly Guard[]): readonly Group[] {
  const groups: { before: readonly Test[]; steps: Step[] }[] = [];
  let last: readonly Test[] = [];
  for (const { before, hotdrop } of guards) {
    const between = before.filter((test) => !last.includes(test));
    last = before;
    const group = groups.at(-1);
    if (group !== undefined && between.every(aboutHeaders)) group.steps.push({ between, hotdrop });
    else groups.push({ before, steps: [{ between: [], hotdrop }] });
  }
  return groups;
}

function aboutHeaders({ field, mask }: Test): boolean {
  return mask === undefined && (CONTEXT.has(field) || GUARDED.has(field));
}

function hotdropOf(steps: readonly Step[]): Expr {
  const before: Test[] = [];
  return any(
    ...steps.map(({ between, hotdrop }) => {
      before.push(...between);
      return all(...before, hotdrop);
    }),
  );
}

function sameSteps(a: readonly Step[], b: readonly Step[]): boolean {
  return (
    a.length === b.length &&
    a.every((step, i) => sameExpr(step.hotdrop, b[i]!.hotdrop) && sameList(step.between, b[i]!.between))
  );
}
