import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeRecords, packKey, planLanes, recordContains } from './lanes.ts';
import { rowMatches, rowsBuilder } from './rows.ts';

const COLUMN = fc.constantFrom(0, 1, 3, 0xff, 0x1fff, 0xffff, 0xffffffff).chain((max) => {
  const value = fc.oneof(fc.integer({ min: 0, max }), fc.constant(0), fc.constant(max));
  return fc.record({
    max: fc.constant(max),
    a: value,
    b: value,
    keys: fc.array(value, { minLength: 12, maxLength: 12 }),
  });
});

describe('lanes', () => {
  it('an IPv4 5-tuple takes two words', () => {
    expect(planLanes(Uint32Array.of(0xffffffff, 0xffffffff, 0xffff, 0xffff, 0xff)).words).toBe(2);
  });

  it('the record of a row contains the keys that the row contains', () => {
    fc.assert(
      fc.property(fc.array(COLUMN, { minLength: 1, maxLength: 12 }), (columns) => {
        const builder = rowsBuilder(columns.map((column) => column.max));
        builder.add(0, true);
        columns.forEach(({ a, b }, d) => {
          builder.narrow(d, Math.min(a, b), Math.max(a, b));
        });
        const rows = builder.finish();
        const records = encodeRecords(rows);
        const corner = columns.map(({ a }) => a);
        const keys = Array.from({ length: 12 }, (_, i) => columns.map((column) => column.keys[i]!));
        // One dimension at a time outside of the box, too.
        const near = columns.flatMap((column, d) => column.keys.map((value) => corner.with(d, value)));
        for (const values of [corner, ...keys, ...near]) {
          const key = Uint32Array.from(values);
          expect(recordContains(records.plan, records.words, 0, packKey(records.plan, key))).toBe(
            rowMatches(rows, 0, key),
          );
        }
      }),
    );
  });
});
