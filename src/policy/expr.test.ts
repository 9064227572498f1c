import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  all,
  any,
  anyBit,
  between,
  complementRanges,
  conditions,
  equals,
  FALSE,
  hotdrop,
  invertIf,
  masked,
  normaliseRanges,
  not,
  require,
  TRUE,
  test,
} from './expr.ts';
import type { Expr } from './ir.ts';

const OPTION: Expr = { kind: 'tcpOption', option: 2 };

/** What an expression says about one packet; enough of an evaluator for pure trees. */
function holds(expr: Expr, values: Readonly<Record<string, bigint>>): boolean {
  switch (expr.kind) {
    case 'constant':
      return expr.value;
    case 'test': {
      const value = values[expr.field]! & (expr.mask ?? -1n);
      return expr.ranges.some((r) => r.min <= value && value <= r.max);
    }
    case 'not':
      return !holds(expr.expr, values);
    case 'all':
      return expr.exprs.every((e) => holds(e, values));
    case 'any':
      return expr.exprs.some((e) => holds(e, values));
    case 'tcpOption':
      return values['option'] === 1n;
    case 'scan':
      return values['scan'] === 1n;
    case 'tcpOptionsReadable':
      return values['readable'] === 1n;
    case 'payload':
      return expr.ranges.some((r) => r.min <= values['payload']! && values['payload']! <= r.max);
  }
}

/** A tree as somebody might write it, before any folding. */
type Wish =
  | { kind: 'leaf'; field: 'ip.ttl' | 'ip.tos'; min: number; max: number; mask: number }
  | { kind: 'option' }
  | { kind: 'not'; of: Wish }
  | { kind: 'all' | 'any'; of: Wish[] };

const leaf = fc.record({
  kind: fc.constant('leaf' as const),
  field: fc.constantFrom('ip.ttl' as const, 'ip.tos' as const),
  min: fc.integer({ min: 0, max: 255 }),
  max: fc.integer({ min: 0, max: 255 }),
  mask: fc.constantFrom(255, 255, 0x0f, 0xf0, 0x55, 0),
});
const { wish } = fc.letrec<{ wish: Wish }>((tie) => ({
  wish: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.constant({ kind: 'option' as const }),
    fc.record({ kind: fc.constant('not' as const), of: tie('wish') }),
    fc.record({ kind: fc.constantFrom('all' as const, 'any' as const), of: fc.array(tie('wish'), { maxLength: 4 }) }),
  ),
}));

function build(w: Wish): Expr {
  switch (w.kind) {
    case 'leaf':
      return test(w.field, [{ min: BigInt(w.min), max: BigInt(w.max) }], BigInt(w.mask));
    case 'option':
      return OPTION;
    case 'not':
      return not(build(w.of));
    case 'all':
      return all(...w.of.map(build));
    case 'any':
      return any(...w.of.map(build));
  }
}

function says(w: Wish, values: Readonly<Record<string, bigint>>): boolean {
  switch (w.kind) {
    case 'leaf': {
      const value = Number(values[w.field]!) & w.mask;
      return w.min <= value && value <= w.max;
    }
    case 'option':
      return values['option'] === 1n;
    case 'not':
      return !says(w.of, values);
    case 'all':
      return w.of.every((e) => says(e, values));
    case 'any':
      return w.of.some((e) => says(e, values));
  }
}

function canonical(expr: Expr, parent?: string): boolean {
  switch (expr.kind) {
    case 'constant':
      return parent === undefined;
    case 'test':
      return (
        expr.mask !== 0n &&
        expr.mask !== 255n &&
        expr.ranges.length > 0 &&
        expr.ranges.every((r, i) => r.min <= r.max && (i === 0 || r.min > expr.ranges[i - 1]!.max + 1n)) &&
        expr.ranges.every((r) => expr.mask === undefined || ((r.min | r.max) & ~expr.mask) === 0n)
      );
    case 'not':
      return expr.expr.kind === 'tcpOption' || expr.expr.kind === 'tcpOptionsReadable';
    case 'all':
    case 'any': {
      const keys = expr.exprs.flatMap((e) => (e.kind === 'test' ? [`${e.field}/${e.mask}`] : []));
      return (
        expr.kind !== parent &&
        expr.exprs.length > 1 &&
        new Set(keys).size === keys.length &&
        expr.exprs.every((e) => canonical(e, expr.kind))
      );
    }
    default:
      return true;
  }
}

describe('ranges', () => {
  it('joins what overlaps or touches', () => {
    expect(
      normaliseRanges([
        { min: 5n, max: 6n },
        { min: 1n, max: 2n },
        { min: 3n, max: 3n },
        { min: 9n, max: 8n },
      ]),
    ).toEqual([
      { min: 1n, max: 3n },
      { min: 5n, max: 6n },
    ]);
  });

  it('complements inside the universe', () => {
    expect(complementRanges([{ min: 0n, max: 3n }], 3n)).toEqual([]);
    expect(complementRanges([], 3n)).toEqual([{ min: 0n, max: 3n }]);
    expect(complementRanges([{ min: 1n, max: 1n }], 3n)).toEqual([
      { min: 0n, max: 0n },
      { min: 2n, max: 3n },
    ]);
  });
});

describe('masked tests', () => {
  const ends = (expr: Expr) => (expr.kind === 'test' ? expr.ranges.map((r) => [Number(r.min), Number(r.max)]) : expr);

  it('end at values that the mask can leave', () => {
    expect(ends(not(masked('meta.mark', 0, 0x10)))).toEqual([[16, 16]]);
    expect(ends(test('ip.tos', [{ min: 2n, max: 3n }], 5n))).toEqual(FALSE);
    expect(ends(test('ip.tos', [{ min: 2n, max: 4n }], 5n))).toEqual([[4, 4]]);
    expect(ends(any(masked('ip.tos', 1, 5), masked('ip.tos', 4, 5)))).toEqual([[1, 4]]);
    expect(ends(any(masked('ip.tos', 0, 5), masked('ip.tos', 4, 5)))).toEqual([
      [0, 0],
      [4, 4],
    ]);
  });

  it('are the same tree exactly when they mean the same', () => {
    const list = fc.array(fc.tuple(fc.nat(255), fc.nat(255)), { maxLength: 3 });
    fc.assert(
      fc.property(fc.nat(255), list, (mask, pairs) => {
        const given = pairs.map(([min, max]) => ({ min: BigInt(min), max: BigInt(max) }));
        const values = Array.from({ length: 256 }, (_, v) => v & mask).filter((v) =>
          pairs.some(([min, max]) => min <= v && v <= max),
        );
        const singles = values.map((v) => ({ min: BigInt(v), max: BigInt(v) }));
        expect(test('ip.tos', given, BigInt(mask))).toEqual(test('ip.tos', singles, BigInt(mask)));
      }),
    );
  });
});

describe('expressions', () => {
  it('fold to constants', () => {
    expect(between('transport.dport', 0, 65535)).toEqual(TRUE);
    expect(between('transport.dport', 5, 4)).toEqual(FALSE);
    expect(masked('meta.mark', 1, 0)).toEqual(FALSE);
    expect(masked('meta.mark', 0, 0)).toEqual(TRUE);
    expect(masked('meta.mark', 0x11, 0x10)).toEqual(FALSE);
    expect(all()).toEqual(TRUE);
    expect(any()).toEqual(FALSE);
    expect(all(equals('ip.ttl', 1), equals('ip.ttl', 2))).toEqual(FALSE);
    expect(any(between('ip.ttl', 0, 9), between('ip.ttl', 10, 255))).toEqual(TRUE);
  });

  it('push negation down', () => {
    expect(not(all(equals('ip.ttl', 0), OPTION))).toEqual({
      kind: 'any',
      exprs: [
        { kind: 'test', field: 'ip.ttl', ranges: [{ min: 1n, max: 255n }] },
        { kind: 'not', expr: OPTION },
      ],
    });
    expect(invertIf(true, not(OPTION))).toEqual(OPTION);
    expect(anyBit('meta.mark', 6)).toEqual({
      kind: 'test',
      field: 'meta.mark',
      mask: 6n,
      ranges: [{ min: 2n, max: 6n }],
    });
  });

  it('mean what was written, in canonical form', () => {
    fc.assert(
      fc.property(wish, fc.nat(255), fc.nat(255), fc.boolean(), (w, ttl, tos, option) => {
        const values = { 'ip.ttl': BigInt(ttl), 'ip.tos': BigInt(tos), option: option ? 1n : 0n };
        const expr = build(w);
        expect(holds(expr, values)).toBe(says(w, values));
        expect(canonical(expr)).toBe(true);
        expect(not(not(expr))).toEqual(expr);
      }),
      { numRuns: 2000 },
    );
  });
});

it('conditions leaves out what changes nothing', () => {
  const kept = [require(FALSE), hotdrop(TRUE), require(OPTION)];
  expect(conditions(require(TRUE), ...kept, hotdrop(FALSE))).toEqual(kept);
});
