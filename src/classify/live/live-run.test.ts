import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CASE,
  corners,
  expected,
  expectedGuard,
  found,
  foundGuard,
  GUARDS,
  type Model,
  plan,
  reachable,
  start,
  write,
} from '../../../test/support/live-runs.ts';
import { buildClassifier } from '../classifier.ts';
import { REGION } from '../image.ts';
import type { Part } from '../part.ts';
import type { Change, LiveRule, Outcome, Write } from './change.ts';
import { takeSnapshot } from './compaction.ts';
import type { LiveRun } from './live-run.ts';
import { placeTree } from './place-tree.ts';

function done(outcome: Outcome): Change {
  if (outcome.kind === 'full') throw new Error(outcome.why);
  return outcome;
}

interface Built {
  readonly ids: Uint32Array;
  readonly parts: readonly Part[];
}

/** Trees taken in one go, or written to reserved room before. */
function adopted(live: LiveRun, { ids, parts }: Built, whole: boolean, bring: (written: Write) => void): Outcome {
  if (whole) return live.adopt(parts);
  const rooms = live.reserve(parts);
  if ('kind' in rooms) {
    live.abandon();
    return rooms;
  }
  const used = parts.map(({ words }, i) =>
    placeTree(words, rooms[i]!, ids, live.rows.records.stride).map((content, p) => {
      bring(live.fill(rooms[i]![p]!.first, content));
      return content.length / 8;
    }),
  );
  live.begin(parts, rooms, used, ids);
  const brought = live.catchUp(2);
  if ('kind' in brought) throw new Error(brought.why);
  for (const written of brought.writes) bring(written);
  return live.adopt();
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
          const change = done(live.change(edits));
          for (const bytes of change.writes) {
            write(region, bytes);
            expect(probes.map((key) => found(live, region, key))).toEqual(old);
          }
          region[change.commit.offset / 4] = change.commit.value;
          apply(change.ids);
          expect(probes.map((key) => found(live, region, key))).toEqual(probes.map((key) => expected(model, key)));
          for (let guard = 0; guard < GUARDS; guard++) {
            const guards = probes.map((key) => foundGuard(live, region, key, guard));
            expect(guards).toEqual(probes.map((key) => expectedGuard(model, key, guard)));
          }
          if (step.release || live.status().pending > 10) live.release(change.number);
        }
        expect(Buffer.compare(Buffer.from(region.buffer), Buffer.from(live.region.buffer))).toBe(0);
        live.release(Number.MAX_SAFE_INTEGER);
        expect(live.status().freeSlots).toBe(live.layout.heapSlots - reachable(live));
      }),
      { numRuns: 60 },
    );
  });

  it('takes trees that were built meanwhile', () => {
    fc.assert(
      fc.property(CASE, fc.nat(20), fc.nat(6), ({ max, choice, rules, steps, keys }, at, later) => {
        let counter = 0;
        const next = (): number => ++counter;
        const { live, model } = start(
          max,
          rules.map((rule): LiveRule => ({ ...rule, counter: next() })),
          choice,
        );
        const region = live.region.slice();
        const bring = (change: Change): void => {
          for (const bytes of change.writes) write(region, bytes);
          region[change.commit.offset / 4] = change.commit.value;
          if (change.number % 3 !== 0) live.release(change.number);
        };
        const check = (): void => {
          const probes = [...keys, ...corners(model.rules.slice(0, 40).map(({ rule }) => rule))];
          expect(probes.map((key) => found(live, region, key))).toEqual(probes.map((key) => expected(model, key)));
        };
        let built: Built | undefined;
        steps.forEach((step, i) => {
          if (i === at % steps.length) {
            const { ids, rows } = at % 2 === 0 ? live.snapshot() : takeSnapshot(structuredClone(live.copy()));
            built = { ids, parts: buildClassifier(rows, 'trees').parts };
          }
          const { edits, apply } = plan(model, step.edits, next);
          const change = done(live.change(edits));
          bring(change);
          apply(change.ids);
          if (built === undefined || i < at + later) return;
          const outcome = adopted(live, built, at % 2 === 0, (bytes) => write(region, bytes));
          built = undefined;
          if (outcome.kind === 'full') expect(outcome.why).toBe('shape');
          else bring(outcome);
          check();
        });
        check();
        live.release(Number.MAX_SAFE_INTEGER);
        expect(live.status().freeSlots).toBe(live.layout.heapSlots - reachable(live));
      }),
      { numRuns: 60 },
    );
  });

  it('a rule that lies in very many leaves is taken away with one store', () => {
    const max = [0xffff, 0xffff];
    const narrow = Array.from({ length: 6000 }, (_, i): LiveRule => {
      const [x, y] = [(i * 40503) & 0xffff, (i * 30011) & 0xffff];
      return {
        boxes: [
          [
            [x, x + (i % 3)],
            [y, y + (i % 5)],
          ],
        ],
        final: true,
        counter: i,
        action: 0,
      };
    });
    const wide: LiveRule = {
      boxes: [
        [
          [0, 0xffff],
          [0, 0xffff],
        ],
      ],
      final: true,
      counter: 9999,
      action: 0,
    };
    const { live, model } = start(max, [...narrow, wide], 'one tree');
    const region = live.region.slice();
    const probes = corners([...narrow.slice(0, 200), wide]);
    const answers = (): number[] => probes.map((key) => found(live, region, key));
    expect(answers()).toEqual(probes.map((key) => expected(model, key)));
    const change = done(live.change([{ kind: 'remove', id: 6000 }]));
    expect(change.writes).toEqual([]);
    expect(change.commit.offset).toBeGreaterThan(REGION.payload);
    region[change.commit.offset / 4] = change.commit.value;
    const without: Model = { rules: model.rules.slice(0, -1) };
    expect(answers()).toEqual(probes.map((key) => expected(without, key)));
    expect(live.status().zombies).toBe(1);
    const rebuilt = done(live.change([{ kind: 'insert', rule: wide, before: 100 }]));
    for (const bytes of rebuilt.writes) write(region, bytes);
    region[rebuilt.commit.offset / 4] = rebuilt.commit.value;
    const again: Model = { rules: [...without.rules] };
    again.rules.splice(100, 0, { id: rebuilt.ids[0]!, rule: wide });
    expect(answers()).toEqual(probes.map((key) => expected(again, key)));
    live.snapshot();
    expect(live.adopt(buildClassifier(live.snapshot().rows, 'trees').parts).kind).toBe('change');
    expect(live.status().zombies).toBe(0);
  });

  it('finds numbers between two rules again and again', () => {
    const max = [0xffff];
    const rule = (at: number, counter: number): LiveRule => ({
      boxes: [[[at, at + 50]]],
      final: true,
      counter,
      action: 0,
    });
    const { live, model } = start(max, [rule(0, 1), rule(10, 2), rule(20, 3)], 'trees');
    const region = live.region.slice();
    let between = model.rules[1]!.id;
    for (let i = 0; i < 150; i++) {
      // Now before the rule that came last, now behind it: the gap is halved each time.
      const added = rule(i, 100 + i);
      const index = model.rules.findIndex(({ id }) => id === between) + (i % 2);
      const before = model.rules[index];
      const change = done(live.change([{ kind: 'insert', rule: added, ...(before && { before: before.id }) }]));
      for (const bytes of change.writes) write(region, bytes);
      region[change.commit.offset / 4] = change.commit.value;
      live.release(change.number);
      model.rules.splice(before === undefined ? model.rules.length : index, 0, { id: change.ids[0]!, rule: added });
      if (i % 4 === 0) between = change.ids[0]!;
      for (const key of [0, 25, 60, i, i + 50]) expect(found(live, region, [key])).toBe(expected(model, [key]));
    }
  });

  it('says that memory or ids are used up, and that waiting helps', () => {
    const rule = (at: number): LiveRule => ({ boxes: [[[at, at]]], final: true, counter: at, action: 0 });
    const { live } = start([0xffff], [rule(1), rule(2)], 'trees');
    const reasons = new Set<string>();
    for (let i = 0; i < 1000 && !reasons.has('rows'); i++) {
      const outcome = live.change([{ kind: 'insert', rule: rule(i) }]);
      if (outcome.kind === 'change') continue;
      reasons.add(outcome.why);
      live.release(Number.MAX_SAFE_INTEGER);
    }
    expect([...reasons]).toEqual(['waiting', 'rows']);
    expect(live.change([{ kind: 'remove', id: 0 }])).toEqual({ kind: 'full', why: 'rows' });
  });
});
