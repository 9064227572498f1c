import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differingRules } from './difference.ts';
import { type Rule, ZERO_COUNTERS } from './model.ts';

const rules: readonly Rule[] = Array.from({ length: 6 }, () => ({
  ip: {},
  matches: [],
  target: { kind: 'none' },
  counters: ZERO_COUNTERS,
}));
const list = fc.array(fc.constantFrom(...rules), { maxLength: 8 });

describe('differing rules', () => {
  it('make the new list of the old one', () => {
    fc.assert(
      fc.property(list, list, (was, now) => {
        const { from, gone, added } = differingRules(was, now);
        expect(was.slice(from, from + gone.length)).toEqual(gone);
        expect(
          [...was.slice(0, from), ...added, ...was.slice(from + gone.length)].every((rule, at) => rule === now[at]),
        ).toBe(true);
        expect(was.length - gone.length + added.length).toBe(now.length);
      }),
    );
  });

  it('are only those that came, or went, where that is all', () => {
    const [a, b, c] = rules as [Rule, Rule, Rule];
    expect(differingRules([a, b], [a, c, b])).toEqual({ from: 1, gone: [], added: [c] });
    expect(differingRules([a, b, c], [a, c])).toEqual({ from: 1, gone: [b], added: [] });
    expect(differingRules([a, b], [a, b])).toMatchObject({ gone: [], added: [] });
  });
});
