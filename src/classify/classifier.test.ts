import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLASSBENCH, enlargeSet, filterRows, readFilterSet, sourceSet } from '../../bench/classify-sets.ts';
import { buildClassifier, type Choice, type Classifier, lookup } from './classifier.ts';
import { bucketOfKey } from './hash.ts';
import { packKey, recordContains } from './lanes.ts';
import { firstRowOf, linearLookup, type Rows, rowsBuilder } from './rows.ts';
import { FIRST_ROW_WORD, LEAF_CONTINUES, NOTHING, SLOT_WORDS } from './slots.ts';
import { walkTree } from './walk.ts';

const CHOICES: readonly Choice[] = ['auto', 'linear', 'trees', 'hashes', 'ordered'];

/** The look-up as generated code does it: rows are compared by the records that stand in the slots. */
function lookupByRecords(classifier: Classifier, key: Uint32Array): number {
  const packed = packKey(classifier.plan, key);
  let best = classifier.rows.count;
  for (const { words, hash, firstRow } of classifier.parts) {
    if (firstRow >= best) break;
    const leaf = walkTree(words, hash === undefined ? 0 : bucketOfKey(hash, key), key);
    slots: for (let slot = leaf; ; slot++) {
      const at = slot * SLOT_WORDS;
      for (let i = FIRST_ROW_WORD; i < SLOT_WORDS; i++) {
        const row = words[at + i]!;
        if (row === NOTHING || row >= best) break slots;
        const record = words[at + 1]! * SLOT_WORDS + (i - FIRST_ROW_WORD) * classifier.plan.words * 4;
        if (!recordContains(classifier.plan, words, record, packed)) continue;
        best = row;
        break slots;
      }
      if ((words[at]! & LEAF_CONTINUES) === 0) break;
    }
  }
  return best === classifier.rows.count ? -1 : best;
}

/** Largest values of dimensions as they occur: bits, bytes, ports, words, ranks. */
const MAXIMA = fc.array(fc.constantFrom(0, 1, 5, 0xff, 0xffff, 0xffffffff), { minLength: 1, maxLength: 10 });

type Bounds = readonly [lo: number, hi: number];

/** An interval: everything, one value of a few, a prefix, or any. Few values, so that boxes nest, touch and overlap. */
function interval(max: number): fc.Arbitrary<Bounds> {
  const value = fc.oneof(fc.integer({ min: 0, max: Math.min(max, 12) }), fc.integer({ min: 0, max }), fc.constant(max));
  const prefix = fc.tuple(value, fc.integer({ min: 0, max: 31 })).map(([at, bits]): Bounds => {
    const size = 2 ** bits;
    const lo = Math.floor(at / size) * size;
    return [lo, Math.min(max, lo + size - 1)];
  });
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant<Bounds>([0, max]) },
    { weight: 3, arbitrary: value.map((v): Bounds => [v, v]) },
    { weight: 2, arbitrary: prefix },
    { weight: 1, arbitrary: fc.tuple(value, value).map(([a, b]): Bounds => [Math.min(a, b), Math.max(a, b)]) },
  );
}

const CASE = MAXIMA.chain((max) =>
  fc.record({
    max: fc.constant(max),
    boxes: fc.array(
      fc.record({ bounds: fc.tuple(...max.map(interval)), final: fc.boolean(), newEntry: fc.boolean() }),
      { maxLength: 120 },
    ),
    keys: fc.array(fc.tuple(...max.map((m) => interval(m).map(([lo]) => lo))), { minLength: 1, maxLength: 20 }),
  }),
);

function rowsOf(
  max: readonly number[],
  boxes: readonly { bounds: readonly Bounds[]; final: boolean; newEntry: boolean }[],
): Rows {
  const builder = rowsBuilder(max);
  let entry = 0;
  let ends = false;
  for (const { bounds, final, newEntry } of boxes) {
    if (newEntry) {
      entry += 1;
      ends = final;
    }
    builder.add(entry, ends);
    bounds.forEach(([lo, hi], d) => {
      builder.narrow(d, lo, hi);
    });
  }
  return builder.finish();
}

describe('every structure', () => {
  it('finds the first row that a linear search finds', () => {
    fc.assert(
      fc.property(CASE, ({ max, boxes, keys }) => {
        const rows = rowsOf(max, boxes);
        // The corners of boxes are where mistakes show.
        const corners = Array.from({ length: Math.min(rows.count, 30) }, (_, row) => [
          rows.lo.map((column) => column[row]!),
          rows.hi.map((column) => column[row]!),
        ]).flat();
        for (const choice of CHOICES) {
          const classifier = buildClassifier(rows, choice);
          for (const values of [...keys, ...corners]) {
            const key = Uint32Array.from(values);
            const expected = linearLookup(rows, key);
            expect(lookup(classifier, key)).toBe(expected);
            if (classifier.kind === 'parts') expect(lookupByRecords(classifier, key)).toBe(expected);
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it('goes on behind rows that are not final', () => {
    fc.assert(
      fc.property(CASE, ({ max, boxes, keys }) => {
        const rows = rowsOf(max, boxes);
        for (const choice of CHOICES) {
          const classifier = buildClassifier(rows, choice);
          for (const values of keys) {
            const key = Uint32Array.from(values);
            // As the generated code goes on: behind the entry that was found, until one ends the list.
            for (let from = 0; from < rows.count; ) {
              const row = linearLookup(rows, key, from);
              expect(lookup(classifier, key, from)).toBe(row);
              if (row < 0 || rows.final[row] === 1) break;
              from = firstRowOf(rows, rows.entry[row]! + 1);
            }
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('large sets', () => {
  it('boxes that all overlap stay within bounds', () => {
    let state = 1;
    const random = (max: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * (max + 1));
    };
    const max = [0xffffffff, 0xffffffff, 0xffff, 0xffff, 0xff];
    const builder = rowsBuilder(max);
    for (let entry = 0; entry < 3000; entry++) {
      builder.add(entry, true);
      max.forEach((largest, d) => {
        const [a, b] = [random(largest), random(largest)];
        builder.narrow(d, Math.min(a, b), Math.max(a, b));
      });
    }
    const rows = builder.finish();
    const classifier = buildClassifier(rows, 'trees');
    expect(classifier.cost.bytes).toBeLessThan(8 << 20);
    for (let i = 0; i < 300; i++) {
      const key = Uint32Array.from(max, random);
      expect(lookup(classifier, key)).toBe(linearLookup(rows, key));
    }
  });

  it('one table for ten thousand addresses', () => {
    const set = sourceSet(10_000);
    const rows = filterRows(set);
    const classifier = buildClassifier(rows);
    expect(classifier.parts.map((part) => part.hash?.dimensions)).toEqual([[0]]);
    for (let i = 0; i < 500; i++) {
      const key = set.trace.slice(i * 5, i * 5 + 5);
      expect(lookup(classifier, key)).toBe(linearLookup(rows, key));
    }
  });

  const here = existsSync(join(CLASSBENCH, 'acl1_1k'));
  const name = here ? '' : ` (needs ${CLASSBENCH})`;
  it.runIf(here).each(['acl1_1k', 'fw1_1k', 'ipc1_1k', 'acl1_10k', 'fw1_10k', 'ipc1_10k'])(
    `ClassBench %s${name}`,
    (file) => {
      const set = readFilterSet(file);
      const rows = filterRows(set);
      for (const choice of ['trees', 'hashes', 'auto'] as const) {
        const classifier = buildClassifier(rows, choice);
        const step = choice === 'hashes' ? 97 : 11;
        for (let i = 0; i < set.trace.length / 5; i += step) {
          const key = set.trace.slice(i * 5, i * 5 + 5);
          const expected = linearLookup(rows, key);
          expect(lookup(classifier, key)).toBe(expected);
          expect(lookupByRecords(classifier, key)).toBe(expected);
        }
      }
    },
  );

  it.runIf(here)(`a hundred thousand rules stay small and are found${name}`, () => {
    const set = enlargeSet(readFilterSet('fw1_10k'), 100_000);
    const rows = filterRows(set);
    expect(rows.count).toBe(100_000);
    const classifier = buildClassifier(rows);
    expect(classifier.cost.bytes).toBeLessThan(16 << 20);
    const headers = set.trace.length / 5;
    for (let i = 0; i < headers; i += 701) {
      const key = set.trace.slice(i * 5, i * 5 + 5);
      expect(lookup(classifier, key)).toBe(linearLookup(rows, key));
    }
  });
});
