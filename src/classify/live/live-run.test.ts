import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildClassifier, type Choice } from '../classifier.ts';
import { PAYLOAD, regionLayout } from '../image.ts';
import { type Rows, rowsBuilder } from '../rows.ts';
import type { Change, Edit, LiveRule } from './change.ts';
import type { Box } from './live-rows.ts';
import { createLiveRun, type LiveRun } from './live-run.ts';
import { lookupRegion } from './read.ts';
import { payloadOffset } from './transaction.ts';

type Bounds = readonly [lo: number, hi: number];

/** The list as it should be: rules with what tells them apart. */
interface Model {
  rules: { id: number; rule: LiveRule }[];
}

/** The counter of the first rule that holds the key, or -1. Counters tell the rules apart. */
function expected(model: Model, key: readonly number[]): number {
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

const RULE = (max: readonly number[]) =>
  fc.record({
    boxes: fc.array(fc.tuple(...max.map(interval)), { minLength: 1, maxLength: 3 }),
    final: fc.boolean(),
    action: fc.nat(7),
  });

const STEP = (max: readonly number[]) =>
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

const CASE = fc.array(fc.constantFrom(1, 5, 0xff, 0xffff, 0xffffffff), { minLength: 1, maxLength: 5 }).chain((max) =>
  fc.record({
    max: fc.constant(max),
    choice: fc.constantFrom<Choice>('trees', 'hashes'),
    rules: fc.array(RULE(max), { minLength: 1, maxLength: 60 }),
    steps: fc.array(STEP(max), { minLength: 1, maxLength: 25 }),
    keys: fc.array(fc.tuple(...max.map((m) => interval(m).map(([lo]) => lo))), { minLength: 1, maxLength: 10 }),
    seed: fc.nat(),
  }),
);

function start(max: readonly number[], rules: readonly LiveRule[], choice: Choice): { live: LiveRun; model: Model } {
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
  const { parts } = buildClassifier(rows, choice);
  const used = parts.reduce((sum, part) => sum + part.slots, 0);
  const live = createLiveRun({
    rows,
    parts: parts.map((part, place) => ({ place, part })),
    spare: [parts.length, parts.length + 1],
    layout: regionLayout(rows.count + 400, used + 12_000),
    limits: { levels: 24, leafSlots: 64 },
    counter: (row) => rules[rows.entry[row]!]!.counter,
    action: (row) => rules[rows.entry[row]!]!.action,
  });
  return { live, model: { rules: rules.map((rule, id) => ({ id, rule })) } };
}

/** The edits for rules of the model, and the model as it is behind them. */
function plan(
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

function found(live: LiveRun, region: Uint32Array, key: readonly number[]): number {
  const { row } = lookupRegion(region, live.layout, live.rows.plan, live.places, Uint32Array.from(key));
  return row < 0 ? -1 : region[(payloadOffset(row) + PAYLOAD.counter) / 4]!;
}

function write(region: Uint32Array, { offset, bytes }: Change['writes'][number]): void {
  new Uint8Array(region.buffer).set(bytes, offset);
}

/** Keys where mistakes show: the corners of boxes. */
function corners(rules: readonly LiveRule[]): number[][] {
  return rules.flatMap(({ boxes }) => boxes.flatMap((box: Box) => [box.map(([lo]) => lo), box.map(([, hi]) => hi)]));
}

describe('a run that changes', () => {
  it('answers as the old list before the commit, and as the new one behind it', () => {
    fc.assert(
      fc.property(CASE, ({ max, choice, rules, steps, keys }) => {
        let counter = 0;
        const next = (): number => ++counter;
        const counted = rules.map((rule): LiveRule => ({ ...rule, counter: next() }));
        const { live, model } = start(max, counted, choice);
        const region = live.region.slice();
        for (const step of steps) {
          const { edits, apply } = plan(model, step.edits, next);
          const probes = [
            ...keys,
            ...corners(edits.flatMap((edit) => (edit.kind === 'remove' ? [] : [edit.rule]))),
            ...corners(model.rules.slice(0, 12).map(({ rule }) => rule)),
          ];
          const old = probes.map((key) => expected(model, key));
          const change = live.change(edits);
          if (change.kind === 'full') throw new Error(change.why);
          for (const bytes of change.writes) {
            write(region, bytes);
            expect(probes.map((key) => found(live, region, key))).toEqual(old);
          }
          region[change.commit.offset / 4] = change.commit.value;
          apply(change.ids);
          expect(probes.map((key) => found(live, region, key))).toEqual(probes.map((key) => expected(model, key)));
          if (step.release || live.status().pending > 10) live.release(change.number);
        }
        expect(Buffer.compare(Buffer.from(region.buffer), Buffer.from(live.region.buffer))).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});
