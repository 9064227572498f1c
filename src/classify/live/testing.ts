/** What tests of changing runs share: the list as it should be, random rules and changes. */
import fc from 'fast-check';
import { buildClassifier, type Choice } from '../classifier.ts';
import { PAYLOAD, REGION, regionLayout } from '../image.ts';
import { encodeRecords } from '../lanes.ts';
import { treePart } from '../part.ts';
import { thresholdCount } from '../relocate.ts';
import { type Rows, rowsBuilder } from '../rows.ts';
import { CHILD_SHIFT, FIRST_ROW_WORD, LEAF, LEAF_CONTINUES, NOTHING, recordSlots, SLOT_WORDS } from '../slots.ts';
import type { Change, Edit, LiveRule } from './change.ts';
import { createLiveRun, type LiveRun } from './live-run.ts';
import { heapOf, lookupRegion } from './read.ts';
import { payloadOffset } from './transaction.ts';

type Bounds = readonly [lo: number, hi: number];

/** The list as it should be: rules with what tells them apart. */
export interface Model {
  rules: { id: number; rule: LiveRule }[];
}

/** The counter of the first rule that holds the key, or -1. Counters tell the rules apart. */
export function expected(model: Model, key: readonly number[]): number {
  const found = model.rules.find(({ rule }) =>
    rule.boxes.some((box) => box.every(([lo, hi], d) => key[d]! >= lo && key[d]! <= hi)),
  );
  return found === undefined ? -1 : found.rule.counter;
}

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
  const builder = rowsBuilder(max);
  rules.forEach((rule, entry) => {
    for (const box of rule.boxes) {
      builder.add(entry, rule.final);
      box.forEach(([lo, hi], d) => {
        builder.narrow(d, lo, hi);
      });
    }
  });
  const rows: Rows = builder.finish();
  const all = Uint32Array.from({ length: rows.count }, (_, row) => row);
  const parts =
    choice === 'one tree' ? [treePart(rows, encodeRecords(rows), all)!] : buildClassifier(rows, choice).parts;
  const used = parts.reduce((sum, part) => sum + part.slots, 0);
  const live = createLiveRun({
    rows,
    parts: parts.map((part, place) => ({ place, part })),
    spare: [parts.length, parts.length + 1],
    layout: regionLayout(rows.count + 400, used + 12_000),
    limits: { levels: 24, leafSlots: 64 },
    passesOver: true,
    guards: [],
    counter: (row) => rules[rows.entry[row]!]!.counter,
    action: (row) => rules[rows.entry[row]!]!.action,
  });
  return { live, model: { rules: rules.map((rule, id) => ({ id, rule })) } };
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
  const { row } = lookupRegion(region, live.layout, live.rows.plan, live.places, Uint32Array.from(key));
  return row < 0 ? -1 : region[(payloadOffset(row) + PAYLOAD.counter) / 4]!;
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
