/**
 * Rules of one kind (policy-columns.ts) on their way into rows: what one of them asks and where its boxes go is found out once, from a rule
 * that is taken apart like any other, and the others of its kind are numbers that are copied.
 */
import type { Condition, Test } from '../policy/ir.ts';
import { OTHER_KIND, type PolicyColumns } from '../policy/policy-columns.ts';
import { type AxisFinder, addRows, type BoxParts, partsOf } from './box-parts.ts';
import type { Dimension } from './dimension.ts';
import type { GuardRowsBuilder } from './guard-rows.ts';
import { MOST_BOUNDARIES, type Question, type Questions } from './questions.ts';
import type { RowsBuilder } from './rows.ts';
import { type SplitRule, splitRule } from './split-rule.ts';

/** What rules ask, without taking each of them apart. */
export interface KindQuestions {
  /** Adds what a rule asks; false, with nothing done, when no rule of its kind was learnt. */
  add(index: number): boolean;
  /** A rule that is part of a run, and whose questions are in. */
  learn(index: number, rule: SplitRule, questions: Questions): void;
  /** The questions are others now. */
  forget(): void;
}

interface Asked {
  readonly question: Question;
  /** The slot whose intervals are asked about; -1: always the same. */
  readonly slot: number;
}

export function kindQuestions({ kind, kinds, values }: PolicyColumns): KindQuestions {
  let known: (readonly Asked[] | undefined)[] = [];
  return {
    add(index) {
      const asked = known[kind[index]!];
      if (asked === undefined) return false;
      for (let i = 0; i < asked.length; i++) {
        const { question, slot } = asked[i]!;
        question.uses++;
        if (slot < 0 || question.boundaries.size > MOST_BOUNDARIES) continue;
        const { lo, hi } = values[slot]!;
        if (lo[index]! > 0) question.boundaries.add(BigInt(lo[index]!) - 1n);
        if (hi[index]! < largest(slot)) question.boundaries.add(BigInt(hi[index]!));
      }
      return true;
    },
    learn(index, rule, questions) {
      const number = kind[index]!;
      if (number === OTHER_KIND || rule.never) return;
      const { slots } = kinds[number]!;
      const tests = [...rule.box];
      for (const { before } of rule.guards) {
        for (const test of before) if (!rule.box.includes(test)) tests.push(test);
      }
      known[number] = tests.map((test) => ({
        question: questions.get(test.field)!.find((other) => other.mask === test.mask)!,
        slot: slots.find(({ field }) => field === test.field)?.slot ?? -1,
      }));
    },
    forget() {
      known = [];
    },
  };
}

/** Addresses, ports. */
function largest(slot: number): number {
  return slot < 2 ? 0xffffffff : 0xffff;
}

export interface RowsContext {
  /** First rule of the run. */
  readonly from: number;
  readonly builder: RowsBuilder;
  readonly guardRows: GuardRowsBuilder;
  readonly residual: Map<number, readonly Condition[]>;
  readonly find: AxisFinder;
  readonly maxRowsPerRule: number;
}

/** Rows that differ only in what slots say. */
interface RowsPlan {
  readonly rows: RowsBuilder;
  readonly final: boolean;
  /** For each row that a rule has, what is narrowed always. */
  readonly boxes: readonly (readonly Narrowing[])[];
  readonly slots: readonly SlotNarrowing[];
}

interface Narrowing {
  readonly dimension: number;
  readonly lo: number;
  readonly hi: number;
}

interface SlotNarrowing {
  readonly slot: number;
  readonly dimension: number;
  /** The dimension counts how many of these are exceeded; undefined: it is the value itself. */
  readonly boundaries: readonly number[] | undefined;
}

interface KindPlan {
  readonly guards: readonly RowsPlan[];
  readonly main: RowsPlan | undefined;
  readonly residual: readonly Condition[];
}

/**
 * Adds the rows of the rules of kinds; false, with nothing done, for a rule that has to be taken apart: the first of its kind always, and
 * those of kinds whose slots are no intervals of one dimension.
 */
export function kindRows(columns: PolicyColumns, context: RowsContext): (index: number) => boolean {
  const { kind, values } = columns;
  const plans: (KindPlan | 'first' | 'none' | undefined)[] = [];
  return (index) => {
    const number = kind[index]!;
    if (number === OTHER_KIND) return false;
    let plan = plans[number];
    if (plan === undefined || plan === 'none') {
      plans[number] ??= 'first';
      return false;
    }
    if (plan === 'first') {
      plan = planKind(columns, index, context) ?? 'none';
      plans[number] = plan;
      if (plan === 'none') return false;
    }
    const entry = index - context.from;
    for (let i = 0; i < plan.guards.length; i++) addPlanned(plan.guards[i]!, entry);
    if (plan.main !== undefined) addPlanned(plan.main, entry);
    if (plan.residual.length > 0) context.residual.set(index, plan.residual);
    return true;
  };

  function addPlanned({ rows, final, boxes, slots }: RowsPlan, entry: number): void {
    const index = entry + context.from;
    for (let b = 0; b < boxes.length; b++) {
      rows.add(entry, final);
      const box = boxes[b]!;
      for (let i = 0; i < box.length; i++) rows.narrow(box[i]!.dimension, box[i]!.lo, box[i]!.hi);
      for (let i = 0; i < slots.length; i++) {
        const { slot, dimension, boundaries } = slots[i]!;
        const { lo, hi } = values[slot]!;
        if (boundaries === undefined) rows.narrow(dimension, lo[index]!, hi[index]!);
        else rows.narrow(dimension, rank(boundaries, lo[index]!), rank(boundaries, hi[index]!));
      }
    }
  }
}

function rank(boundaries: readonly number[], value: number): number {
  let count = 0;
  while (count < boundaries.length && value > boundaries[count]!) count++;
  return count;
}

/** As extract.ts adds a rule that it has taken apart. */
function planKind(columns: PolicyColumns, index: number, context: RowsContext): KindPlan | undefined {
  const { builder, guardRows, find, maxRowsPerRule } = context;
  const { slots: kindSlots } = columns.kinds[columns.kind[index]!]!;
  const rule = splitRule(columns.at(index)!);
  const slotOf = (test: Test): number => kindSlots.find(({ field }) => field === test.field)?.slot ?? -1;
  const boxes = (tests: readonly Test[]): BoxParts => partsOf(tests, find, maxRowsPerRule);
  const plan = (
    rows: RowsBuilder,
    final: boolean,
    tests: readonly Test[],
    { parts }: BoxParts,
  ): RowsPlan | undefined => {
    const slots: SlotNarrowing[] = [];
    for (const test of tests) {
      const slot = slotOf(test);
      if (slot < 0) continue;
      const axis = find(test);
      const [dimension] = axis?.dimensions ?? [];
      if (axis === undefined || dimension === undefined || axis.dimensions.length !== 1) return undefined;
      slots.push({ slot, dimension: axis.first, boundaries: boundariesOf(dimension) });
    }
    const fixed = parts.filter(({ axis }) => !kindSlots.some(({ field }) => field === axis.field));
    return { rows, final, boxes: rowsOf(fixed), slots };
  };
  const guards: RowsPlan[] = [];
  if (rule.guards.length > 0) {
    const places = guardRows.places(rule.guards, boxes);
    if (places === undefined) return undefined;
    for (const { rows, before, boxes: own } of places) {
      const planned = plan(rows, true, before, own);
      if (planned === undefined) return undefined;
      guards.push(planned);
    }
  }
  if (rule.never) return { guards, main: undefined, residual: [] };
  const own = boxes(rule.box);
  const residual = own.left.length === 0 ? rule.residual : [...own.left, ...rule.residual];
  const main = plan(builder, rule.final && residual.length === 0, rule.box, own);
  return main === undefined ? undefined : { guards, main, residual };
}

function boundariesOf({ part }: Dimension): readonly number[] | undefined {
  return part.kind === 'rank' ? part.boundaries.map(Number) : undefined;
}

/** What is narrowed for each row, in the order of the rows. */
function rowsOf(parts: BoxParts['parts']): readonly (readonly Narrowing[])[] {
  const rows: Narrowing[][] = [];
  addRows(
    {
      add: () => rows.push([]),
      narrow: (dimension, lo, hi) => rows.at(-1)!.push({ dimension, lo, hi }),
      finish: () => {
        throw new Error('these rows are only looked at');
      },
    },
    0,
    true,
    parts,
  );
  return rows;
}
