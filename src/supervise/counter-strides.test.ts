import fc from 'fast-check';
import { expect, it } from 'vitest';
import { counterStrides } from './counter-strides.ts';

const SLOTS = 4;
const STRIDE = 16 * SLOTS;
const U64 = (1n << 64n) - 1n;

function strides(cpus: number): {
  readonly words: BigUint64Array;
  readonly counters: ReturnType<typeof counterStrides>;
  readonly closed: () => boolean;
} {
  const bytes = new Uint8Array(STRIDE * cpus);
  let closed = false;
  const close = (): void => {
    closed = true;
  };
  const memory = { bytes, apply: () => {}, close };
  return {
    words: new BigUint64Array(bytes.buffer),
    counters: counterStrides(memory, STRIDE, cpus),
    closed: () => closed,
  };
}

it('sums what every CPU has counted, and what was added', () => {
  const { words, counters, closed } = strides(3);
  expect(counters.isZero(1)).toBe(true);
  words.set([7n, 700n], 2);
  words.set([5n, 50n], 2 * SLOTS + 2);
  counters.add(1, 1n, 2n);
  expect(counters.sum(1)).toEqual({ packets: 13n, bytes: 752n });
  expect(counters.sum(0)).toEqual({ packets: 0n, bytes: 0n });
  expect(counters.isZero(1)).toBe(false);
  // In the stride that no CPU counts in.
  expect(words[4 * SLOTS + 2]).toBe(1n);
  counters.close();
  expect(closed()).toBe(true);
});

it('is not zero for a bit in any word of any stride', () => {
  for (let word = 0; word < 3 * 2 * SLOTS; word++) {
    for (const bit of [0n, 31n, 32n, 63n]) {
      const { words, counters } = strides(3);
      words[word] = 1n << bit;
      const slot = (word >> 1) % SLOTS;
      expect(Array.from({ length: SLOTS }, (_, at) => counters.isZero(at))).toEqual(
        Array.from({ length: SLOTS }, (_, at) => at !== slot),
      );
    }
  }
});

it('adds and takes away exactly, modulo 2^64', () => {
  const word = fc.oneof(fc.bigInt({ min: 0n, max: U64 }), fc.constantFrom(0n, 1n, 0xffff_ffffn, 1n << 32n, U64));
  const cpus = fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 9 });
  const change = fc.bigInt({ min: -U64, max: U64 });
  fc.assert(
    fc.property(cpus, fc.nat(SLOTS - 1), fc.tuple(change, change), (values, slot, [packets, bytes]) => {
      const { words, counters } = strides(values.length);
      for (const [cpu, pair] of values.entries()) words.set(pair, 2 * (SLOTS * cpu + slot));
      counters.add(slot, packets, bytes);
      const total = (at: 0 | 1, more: bigint): bigint =>
        BigInt.asUintN(
          64,
          values.reduce((sum, pair) => sum + pair[at], more),
        );
      expect(counters.sum(slot)).toEqual({ packets: total(0, packets), bytes: total(1, bytes) });
      counters.add(slot, -total(0, packets), -total(1, bytes));
      expect(counters.sum(slot)).toEqual({ packets: 0n, bytes: 0n });
    }),
  );
});
