/** What tests of changing runs share: the list as it should be, random rules and changes. */
import fc from 'fast-check';
import { buildClassifier, buildParts, type Choice } from '../../src/classify/classifier.ts';
import { PAYLOAD, REGION, regionLayout } from '../../src/classify/image.ts';
import { encodeRecords } from '../../src/classify/lanes.ts';
import type { Change, Edit, LiveRule } from '../../src/classify/live/change.ts';
import type { Box } from '../../src/classify/live/live-rows.ts';
import { createLiveRun, type LiveRun } from '../../src/classify/live/live-run.ts';
import { heapOf, lookupRegion } from '../../src/classify/live/read.ts';
import { payloadOffset } from '../../src/classify/live/transaction.ts';
import { treePart } from '../../src/classify/part.ts';
import { thresholdCount } from '../../src/classify/relocate.ts';
import { joinRows, type Rows, rowsBuilder } from '../../src/classify/rows.ts';
import {
  CHILD_SHIFT,
  FIRST_ROW_WORD,
  LEAF,
  LEAF_CONTINUES,
  NOTHING,
  recordSlots,
  SLOT_WORDS,
} from '../../src/classify/slots.ts';

type Bounds = readonly [lo: number, hi: number];

/** The list as it should be: rules with what tells them apart. */
export interface Model {
  rules: { id: number; rule: LiveRule }[];
}

/** The counter of the first rule that holds the key, or -1. Counters tell the rules apart. */
export function expected(model: Model, key: readonly number[]): number {
  const found = model.rules.find(({ rule }) => rule.boxes.some((box) => holds(box, key)));
  return found === undefined ? -1 : found.rule.counter;
}

/** Id of the first rule before which the guard drops the key, or -1. */
export function expectedGuard(model: Model, key: readonly number[], which: number): number {
  const found = model.rules.find(({ rule }) =>
    (rule.guards ?? []).some(({ guard, boxes }) => guard === which && boxes.some((box) => holds(box, key))),
  );
  return found === undefined ? -1 : found.id;
}

function holds(box: Box, key: readonly number[]): boolean {
  return box.every(([lo, hi], d) => key[d]! >= lo && key[d]! <= hi);
}

/** Guards of a run in the tests. */
export const GUARDS = 2;

function interval(max: number): fc.Arbitrary<Bounds> {
  const value = fc.oneof(fc.integer({ min: 0, max: Math.min(max, 12) }), fc.integer({ min: 0, max }), fc.constant(max));
  const prefix = fc.tuple(value, fc.integer({ min: 0, max: 31 })).map(([at, bits]): Bounds => {
    const size = 2 ** bits;
    const lo = Math.floor(at / size) * size;
    return [lo, Math.min(max, lo + size - 1)];
  });
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant<Bounds>([0, max]) },
    { weight: 4, arbitrary: value.map((v): Bounds => [v, v]) },
    { weight: 2, arbitrary: prefix },
    { weight: 1, arbitrary: fc.tuple(value, value).map(([a, b]): Bounds => [Math.min(a, b), Math.max(a, b)]) },
  );
}

export const RULE = (max: readonly number[]) =>
  fc.record({
    boxes: fc.array(fc.tuple(...max.map(interval)), { minLength: 1, maxLength: 3 }),
    guards: fc.array(
      fc.record({
        guard: fc.nat(GUARDS - 1),
        boxes: fc.array(fc.tuple(...max.map(interval)), { minLength: 1, maxLength: 2 }),
      }),
      { maxLength: 2 },
    ),
    final: fc.boolean(),
    action: fc.nat(7),
  });

export const STEP = (max: readonly number[]) =>
  fc.record({
    edits: fc.array(
      fc.record({
        kind: fc.constantFrom('insert' as const, 'insert' as const, 'remove' as const, 'replace' as const),
        at: fc.oneof(fc.nat(), fc.constantFrom(0, 1, 2)),
        rule: RULE(max),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    release: fc.boolean(),
  });

export const CASE = fc
  .array(fc.constantFrom(1, 5, 0xff, 0xffff, 0xffffffff), { minLength: 1, maxLength: 5 })
  .chain((max) =>
    fc.record({
      max: fc.constant(max),
      choice: fc.constantFrom<Choice>('trees', 'hashes'),
      rules: fc.array(RULE(max), { minLength: 1, maxLength: 60 }),
      steps: fc.array(STEP(max), { minLength: 1, maxLength: 25 }),
      keys: fc.array(fc.tuple(...max.map((m) => interval(m).map(([lo]) => lo))), { minLength: 1, maxLength: 10 }),
      seed: fc.nat(),
    }),
  );

export function start(
  max: readonly number[],
  rules: readonly LiveRule[],
  choice: Choice | 'one tree',
): { live: LiveRun; model: Model } {
  const own = rowsOf(
    max,
    rules.map(({ boxes, final }) => ({ boxes, final })),
  );
  const guarded = Array.from({ length: GUARDS }, (_, guard) =>
    rowsOf(
      max,
      rules.map(({ guards }) => ({
        boxes: (guards ?? []).flatMap((one) => (one.guard === guard ? one.boxes : [])),
        final: true,
      })),
    ),
  );
  const rows = joinRows([own, ...guarded]);
  const records = encodeRecords(rows);
  const list = Uint32Array.from({ length: own.count }, (_, row) => row);
  const main = choice === 'one tree' ? [treePart(own, encodeRecords(own), list)!] : buildClassifier(own, choice).parts;
  const parts = main.map((part, place) => ({ place, part }));
  const spare = [main.length, main.length + 1];
  let next = main.length + 2;
  let first = own.count;
  const guards = guarded.map(({ count }) => {
    const from = next;
    const its = Uint32Array.from({ length: count }, (_, i) => first + i);
    first += count;
    for (const part of buildParts(rows, records, its, 'trees')) parts.push({ place: next++, part });
    spare.push(next++);
    return { from, to: next };
  });
  const used = parts.reduce((sum, { part }) => sum + part.slots, 0);
  const live = createLiveRun({
    rows,
    parts,
    spare,
    guards,
    layout: regionLayout(rows.count + 400, used + 12_000),
    limits: { levels: 24, leafSlots: 64 },
    passesOver: true,
    counter: (row) => (row < own.count ? rules[rows.entry[row]!]!.counter : 0),
    action: (row) => (row < own.count ? rules[rows.entry[row]!]!.action : 0),
  });
  return { live, model: { rules: rules.map((rule, id) => ({ id, rule })) } };
}

function rowsOf(max: readonly number[], rules: readonly Pick<LiveRule, 'boxes' | 'final'>[]): Rows {
  const builder = rowsBuilder(max);
  rules.forEach(({ boxes, final }, entry) => {
    for (const box of boxes) {
      builder.add(entry, final);
      box.forEach(([lo, hi], d) => {
        builder.narrow(d, lo, hi);
      });
    }
  });
  return builder.finish();
}

/** The edits for rules of the model, and the model as it is behind them. */
export function plan(
  model: Model,
  wanted: readonly { kind: 'insert' | 'remove' | 'replace'; at: number; rule: Omit<LiveRule, 'counter'> }[],
  next: () => number,
): { edits: Edit[]; apply: (ids: readonly number[]) => void } {
  const rules = [...model.rules];
  const edits: Edit[] = [];
  const inserted: { id: number; rule: LiveRule }[] = [];
  for (const { kind, at, rule } of wanted) {
    const counted: LiveRule = { ...rule, counter: next() };
    const old = rules.filter(({ id }) => id >= 0);
    const target = old[at % Math.max(1, old.length)];
    if (kind === 'insert' || target === undefined) {
      const entry = { id: -1, rule: counted };
      inserted.push(entry);
      // At the end, too: one place more than rules.
      const before = at % (old.length + 1) === old.length ? undefined : old[at % (old.length + 1)];
      edits.push({ kind: 'insert', rule: counted, ...(before && { before: before.id }) });
      rules.splice(before === undefined ? rules.length : rules.indexOf(before), 0, entry);
    } else if (kind === 'remove') {
      edits.push({ kind: 'remove', id: target.id });
      rules.splice(rules.indexOf(target), 1);
    } else {
      edits.push({ kind: 'replace', id: target.id, rule: counted });
      rules[rules.indexOf(target)] = { id: target.id, rule: counted };
    }
  }
  return {
    edits,
    apply(ids) {
      inserted.forEach((entry, i) => {
        entry.id = ids[i]!;
      });
      model.rules = rules;
    },
  };
}

export function found(live: LiveRun, region: Uint32Array, key: readonly number[]): number {
  const { row } = lookupRegion(region, live.layout, live.rows.plan, groupPlaces(live, 0), Uint32Array.from(key));
  return row < 0 ? -1 : region[(payloadOffset(row) + PAYLOAD.counter) / 4]!;
}

/** Id of the rule whose guard the region finds first, or -1. */
export function foundGuard(live: LiveRun, region: Uint32Array, key: readonly number[], guard: number): number {
  const places = groupPlaces(live, guard + 1);
  const { row } = lookupRegion(region, live.layout, live.rows.plan, places, Uint32Array.from(key));
  return row < 0 ? -1 : live.rows.entry[row]!;
}

export function groupPlaces(live: LiveRun, group: number): LiveRun['places'] {
  return live.places.filter((place) => place.group === group);
}

export function write(region: Uint32Array, { offset, bytes }: Change['writes'][number]): void {
  new Uint8Array(region.buffer).set(bytes, offset);
}

/** Keys where mistakes show: the corners of boxes. */
export function corners(rules: readonly LiveRule[]): number[][] {
  return rules.flatMap(({ boxes }) => boxes.flatMap((box) => [box.map(([lo]) => lo), box.map(([, hi]) => hi)]));
}

/** Slots that look-ups can come to. */
export function reachable(live: LiveRun): number {
  const words = heapOf(live.region, live.layout);
  const active = live.region[REGION.active / 4]!;
  let count = 0;
  for (const { place, hash } of live.places) {
    const at = (REGION.descriptors + active * REGION.descriptorTable) / 4 + 2 * place;
    if (live.region[at + 1] === 0) continue;
    const roots = hash === undefined ? 1 : 1 << hash.bits;
    count += roots;
    for (let root = 0; root < roots; root++) count += below(live.region[at]! + root, hash !== undefined);
  }
  return count;

  function below(slot: number, bucket: boolean): number {
    const head = words[slot * SLOT_WORDS]!;
    if ((head & LEAF) !== 0) {
      const rows = [...words.subarray(slot * SLOT_WORDS + FIRST_ROW_WORD, (slot + 1) * SLOT_WORDS)];
      const own = recordSlots(live.rows.records, rows.filter((row) => row !== NOTHING).length);
      return own + ((head & LEAF_CONTINUES) !== 0 ? 1 + below(slot + 1, false) : 0);
    }
    const first = head >>> CHILD_SHIFT;
    const children = thresholdCount(words, slot) + 1;
    // A bucket that only leads to another slot has eight of them.
    const copies = [1, 2, 3, 4, 5, 6, 7].every((i) => sameSlot(first, first + i));
    if (bucket && copies) return 8 + below(first, false);
    let sum = children;
    for (let child = 0; child < children; child++) sum += below(first + child, false);
    return sum;
  }

  function sameSlot(a: number, b: number): boolean {
    return words.subarray(a * SLOT_WORDS, (a + 1) * SLOT_WORDS).every((word, i) => word === words[b * SLOT_WORDS + i]);
  }
}
