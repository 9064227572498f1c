/** Readers that are held up anywhere while changes are written: each finds what was right at some instant of its look-up. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CASE, corners, expected, groupPlaces, plan, start, write } from '../../../test/support/live-runs.ts';
import { bucketOfKey } from '../hash.ts';
import { NO_ORDER, PAYLOAD, REGION } from '../image.ts';
import { packKey, recordContains } from '../lanes.ts';
import { CHILD_SHIFT, DIMENSION_SHIFT, FIRST_ROW_WORD, LEAF, LEAF_CONTINUES, NOTHING, SLOT_WORDS } from '../slots.ts';
import type { LiveRule } from './change.ts';
import type { LiveRun } from './live-run.ts';
import { payloadOffset } from './transaction.ts';

/** A look-up that stops before every load; the counter of the row that it finds, or -1. */
function* reader(live: LiveRun, region: Uint32Array, key: readonly number[]): Generator<undefined, number> {
  const { layout, rows } = live;
  const packed = packKey(rows.plan, Uint32Array.from(key));
  const heap = layout.heap / 4;
  function* load(word: number): Generator<undefined, number> {
    yield;
    return region[word]!;
  }
  const active = yield* load(REGION.active / 4);
  let [order, counter] = [NO_ORDER, -1];
  for (const { place, hash } of groupPlaces(live, 0)) {
    const descriptor = (REGION.descriptors + active * REGION.descriptorTable) / 4 + 2 * place;
    yield;
    const [root, slots] = [region[descriptor]!, region[descriptor + 1]!];
    if (slots === 0) continue;
    if ((yield* load((REGION.firstOrders + active * REGION.firstOrderTable) / 4 + place)) > order) continue;
    let slot = root + (hash === undefined ? 0 : bucketOfKey(hash, Uint32Array.from(key)));
    for (;;) {
      const at = heap + slot * SLOT_WORDS;
      const head = yield* load(at);
      if ((head & LEAF) !== 0) break;
      slot = head >>> CHILD_SHIFT;
      for (let i = 1; i < SLOT_WORDS; i++) {
        if ((yield* load(at + i)) < key[(head >>> DIMENSION_SHIFT) & 31]!) slot++;
      }
    }
    leaf: for (; ; slot++) {
      const at = heap + slot * SLOT_WORDS;
      const records = yield* load(at + 1);
      for (let i = FIRST_ROW_WORD; i < SLOT_WORDS; i++) {
        const row = yield* load(at + i);
        if (row === NOTHING) break leaf;
        yield;
        const record = heap + records * SLOT_WORDS + (i - FIRST_ROW_WORD) * rows.plan.words * 4;
        if (!recordContains(rows.plan, region, record, packed)) continue;
        const found = yield* load((payloadOffset(row) + PAYLOAD.order) / 4);
        if (found >= order) continue;
        order = found;
        counter = yield* load((payloadOffset(row) + PAYLOAD.counter) / 4);
        break leaf;
      }
      if (((yield* load(at)) & LEAF_CONTINUES) === 0) break;
    }
  }
  return counter;
}

interface Reader {
  readonly steps: Generator<undefined, number>;
  /** Changes that were in force when it began. */
  readonly began: number;
  readonly key: readonly number[];
  /** What was right since then. */
  readonly right: Set<number>;
}

it('readers find the old list or the new one, never a mixture', () => {
  fc.assert(
    fc.property(CASE, ({ max, choice, rules, steps, keys, seed }) => {
      let state = seed;
      const random = (below: number): number => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor((state / 2 ** 32) * below);
      };
      let counter = 0;
      const next = (): number => ++counter;
      const { live, model } = start(
        max,
        rules.map((rule): LiveRule => ({ ...rule, counter: next() })),
        choice,
      );
      const region = live.region.slice();
      const probes = [...keys, ...corners(model.rules.slice(0, 10).map(({ rule }) => rule))];
      let readers: Reader[] = [];
      let changes = 0;
      const advance = (most: number): void => {
        if (random(2) === 0) {
          const key = probes[random(probes.length)]!;
          readers.push({
            steps: reader(live, region, key),
            began: changes,
            key,
            right: new Set([expected(model, key)]),
          });
        }
        readers = readers.filter(({ steps: walk, right }) => {
          for (let i = random(most); i > 0; i--) {
            const { done, value } = walk.next();
            if (done !== true) continue;
            expect([...right]).toContain(value);
            return false;
          }
          return true;
        });
      };
      const grace = (): void => {
        while (readers.length > 0) {
          readers = readers.filter(({ steps: walk, right }) => {
            for (;;) {
              const { done, value } = walk.next();
              if (done !== true) continue;
              expect([...right]).toContain(value);
              return false;
            }
          });
        }
        live.release(changes);
      };
      for (const step of steps) {
        const { edits, apply } = plan(model, step.edits, next);
        const outcome = live.change(edits);
        if (outcome.kind === 'full') throw new Error(outcome.why);
        if (outcome.mustWait) grace();
        for (const bytes of outcome.writes) {
          write(region, bytes);
          advance(6);
        }
        region[outcome.commit.offset / 4] = outcome.commit.value;
        changes = outcome.number;
        apply(outcome.ids);
        for (const { key, right } of readers) right.add(expected(model, key));
        advance(20);
        // What no reader that is under way can know may be used again.
        live.release(Math.min(changes, ...readers.map(({ began }) => began)));
      }
      grace();
    }),
    { numRuns: 80 },
  );
});
