/**
 * Damaged and random input: no exception, no hang, every refusal with a place, and what is accepted prints to a fixed
 * point. `node test/language/fuzz.mjs 10000000` is the long run.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FAMILIES } from '../../src/packet/netfilter.ts';
import { SHARED } from '../support/suite.ts';
import { FINDS } from './finds.ts';
import { check, fuzz } from './fuzz-run.ts';
import { seedLines } from './seeds.ts';

const seeds = seedLines(SHARED);

it('survives damaged rule files', () => {
  const { failures, accepted } = fuzz(0, 30_000, seeds);
  expect(failures).toEqual([]);
  expect(accepted).toBeGreaterThan(500);
});

it('survives any text', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc
      .array(fc.oneof(fc.constantFrom(...seeds.join(' ').split(' ')), fc.string({ maxLength: 12 })), { maxLength: 20 })
      .map((words) => `*filter\n${words.join(' ')}\nCOMMIT\n`),
  );
  const property = fc.property(text, fc.constantFrom(...FAMILIES), (input, family) => {
    expect(check({ family, text: input }).why).toBeUndefined();
  });
  fc.assert(property, { numRuns: 5000 });
});

describe('finds', () => {
  it.each(Object.entries(FINDS))('%s', (_name, find) => {
    expect(check(find)).toEqual({ accepted: find.accepted });
  });
});
