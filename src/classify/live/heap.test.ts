import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createHeap, HeapFull } from './heap.ts';

describe('a heap', () => {
  it('never owns a slot twice, and everything given back is one range again', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ take: fc.boolean(), size: fc.integer({ min: 1, max: 90 }), which: fc.nat() }), {
          maxLength: 200,
        }),
        (steps) => {
          const heap = createHeap(600, 7);
          const owner = new Uint8Array(600).fill(1, 0, 7);
          const taken: (readonly [first: number, count: number])[] = [];
          for (const { take, size, which } of steps) {
            if (take) {
              const before = heap.free;
              try {
                const first = heap.take(size);
                expect(owner.subarray(first, first + size).every((slot) => slot === 0)).toBe(true);
                owner.fill(1, first, first + size);
                taken.push([first, size]);
                expect(heap.free).toBe(before - size);
              } catch (error) {
                expect(error).toBeInstanceOf(HeapFull);
                expect(longestRange(owner)).toBeLessThan(size);
              }
            } else if (taken.length > 0) {
              const index = which % taken.length;
              const [first, count] = taken[index]!;
              // A piece of it: what is left stays taken.
              const part = 1 + (which % count);
              heap.give(first, part);
              owner.fill(0, first, first + part);
              if (part === count) taken.splice(index, 1);
              else taken[index] = [first + part, count - part];
            }
          }
          for (const [first, count] of taken) heap.give(first, count);
          expect(heap.free).toBe(593);
          expect(heap.fragmentation()).toBe(0);
          expect(heap.take(593)).toBe(7);
        },
      ),
      { numRuns: 200 },
    );
  });
});

function longestRange(owner: Uint8Array): number {
  let longest = 0;
  let run = 0;
  for (const slot of owner) {
    run = slot === 0 ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}
