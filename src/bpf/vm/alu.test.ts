import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alu32, alu64, byteOrder } from './alu.ts';
import { holds32, holds64 } from './jump.ts';
import { joinHalves } from './memory.ts';

const EDGES = [0n, 1n, 2n, 31n, 32n, 33n, 63n, 64n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000000n];
const word = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(...EDGES, ...EDGES.map((v) => BigInt.asUintN(64, -v)), 2n ** 63n, 2n ** 63n - 1n),
);
const u64 = (v: bigint): bigint => BigInt.asUintN(64, v);
const s64 = (v: bigint): bigint => BigInt.asIntN(64, v);
const half = (v: bigint, n: bigint): number => Number(BigInt.asIntN(32, v >> n));

/** Plain reference semantics of RFC 9669 at `bits`: the operation code and the offset field to a function. */
function reference(code: number, off: number, a: bigint, b: bigint, bits: 32 | 64): bigint {
  const u = (v: bigint): bigint => BigInt.asUintN(bits, v);
  const s = (v: bigint): bigint => BigInt.asIntN(bits, v);
  const shift = u(b) & BigInt(bits - 1);
  const zero = u(b) === 0n;
  switch (code) {
    case 0x0:
      return u(a + b);
    case 0x1:
      return u(a - b);
    case 0x2:
      return u(a * b);
    case 0x3:
      return zero ? 0n : off === 0 ? u(a) / u(b) : u(s(a) / s(b));
    case 0x4:
      return u(a | b);
    case 0x5:
      return u(a & b);
    case 0x6:
      return u(a << shift);
    case 0x7:
      return u(a) >> shift;
    case 0x8:
      return u(-a);
    case 0x9:
      return zero ? u(a) : off === 0 ? u(a) % u(b) : u(s(a) % s(b));
    case 0xa:
      return u(a ^ b);
    case 0xb:
      return off === 0 ? u(b) : u(BigInt.asIntN(off, b));
    default:
      return u(s(a) >> shift);
  }
}

const operation = fc.constantFrom(
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc].map((code) => ({ code, off: 0 })),
  { code: 3, off: 1 },
  { code: 9, off: 1 },
  { code: 0xb, off: 8 },
  { code: 0xb, off: 16 },
);

describe('arithmetic on halves', () => {
  it('equals 64-bit integers', () => {
    fc.assert(
      fc.property(operation, word, word, ({ code, off }, a, b) => {
        const regs = new Int32Array([half(a, 0n), half(a, 32n)]);
        expect(alu64(regs, code, 0, half(b, 0n), half(b, 32n), off, code !== 8)).toBe(true);
        expect(joinHalves(regs[0]!, regs[1]!)).toBe(reference(code, off, a, b, 64));
      }),
      { numRuns: 20_000 },
    );
  });

  it('equals 32-bit integers and clears the upper half', () => {
    fc.assert(
      fc.property(operation, word, word, ({ code, off }, a, b) => {
        const regs = new Int32Array([half(a, 0n), half(a, 32n)]);
        expect(alu32(regs, code, 0, half(b, 0n), off, code !== 8)).toBe(true);
        expect(joinHalves(regs[0]!, regs[1]!)).toBe(reference(code, off, a, b, 32));
      }),
      { numRuns: 20_000 },
    );
  });

  it('knows movsx from 32 bits', () => {
    const regs = new Int32Array(2);
    expect(alu64(regs, 0xb, 0, -5, 7, 32, true)).toBe(true);
    expect(joinHalves(regs[0]!, regs[1]!)).toBe(u64(-5n));
  });

  it('refuses what is no operation', () => {
    const regs = new Int32Array(2);
    expect(alu64(regs, 0xe, 0, 1, 0, 0, false)).toBe(false);
    expect(alu64(regs, 0, 0, 1, 0, 1, false)).toBe(false);
    expect(alu32(regs, 0xb, 0, 1, 32, true)).toBe(false);
    expect(byteOrder(regs, 'be', 0, 8)).toBe(false);
  });

  it('reverses and truncates bytes', () => {
    fc.assert(
      fc.property(word, fc.constantFrom(16, 32, 64), (a, width) => {
        const swapped = (): bigint => {
          let out = 0n;
          for (let i = 0n; i < BigInt(width); i += 8n) out = (out << 8n) | ((a >> i) & 0xffn);
          return out;
        };
        for (const kind of ['be', 'le', 'swap'] as const) {
          const regs = new Int32Array([half(a, 0n), half(a, 32n)]);
          expect(byteOrder(regs, kind, 0, width)).toBe(true);
          expect(joinHalves(regs[0]!, regs[1]!)).toBe(kind === 'le' ? BigInt.asUintN(width, a) : swapped());
        }
      }),
    );
  });
});

describe('conditions', () => {
  const CONDITIONS: readonly (readonly [number, (a: bigint, b: bigint, sa: bigint, sb: bigint) => boolean])[] = [
    [0x1, (a, b) => a === b],
    [0x2, (a, b) => a > b],
    [0x3, (a, b) => a >= b],
    [0x4, (a, b) => (a & b) !== 0n],
    [0x5, (a, b) => a !== b],
    [0x6, (_a, _b, sa, sb) => sa > sb],
    [0x7, (_a, _b, sa, sb) => sa >= sb],
    [0xa, (a, b) => a < b],
    [0xb, (a, b) => a <= b],
    [0xc, (_a, _b, sa, sb) => sa < sb],
    [0xd, (_a, _b, sa, sb) => sa <= sb],
  ];
  const pair = fc.oneof(
    fc.tuple(word, word),
    word.map((v) => [v, v] as const),
  );

  it('equal comparisons of integers', () => {
    fc.assert(
      fc.property(pair, fc.constantFrom(...CONDITIONS), ([a, b], [code, expected]) => {
        expect(holds64(code, half(a, 0n), half(a, 32n), half(b, 0n), half(b, 32n))).toBe(
          expected(a, b, s64(a), s64(b)),
        );
        const [a32, b32] = [BigInt.asUintN(32, a), BigInt.asUintN(32, b)];
        expect(holds32(code, half(a, 0n), half(b, 0n))).toBe(
          expected(a32, b32, BigInt.asIntN(32, a), BigInt.asIntN(32, b)),
        );
      }),
      { numRuns: 20_000 },
    );
  });

  it('are undefined for other codes', () => {
    expect(holds64(0xe, 0, 0, 0, 0)).toBeUndefined();
    expect(holds32(0xf, 0, 0)).toBeUndefined();
  });
});
