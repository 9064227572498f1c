import fc from 'fast-check';
import { expect, it } from 'vitest';
import { packetView } from './packet-view.ts';
import { capital, scanText, type TextScan } from './scan-text.ts';

const ANYWHERE = { kind: 'text', ignoreCase: false, from: 0, to: 65535, acrossPieces: true } as const;

function look(text: string, scan: Partial<TextScan> & Pick<TextScan, 'pattern'>, pieces?: readonly number[]): string {
  const bytes = new TextEncoder().encode(text);
  return scanText(
    { ...ANYWHERE, ...scan },
    packetView({ family: 'ipv4', bytes, ...(pieces === undefined ? {} : { pieces }) }),
  );
}

const abc = '616263';

it.each([
  ['xxabc', {}, 'yes'],
  ['xxab', {}, 'no'],
  ['xxabc', { from: 2 }, 'yes'],
  ['xxabc', { from: 3 }, 'no'],
  ['xxabc', { to: 5 }, 'yes'],
  ['xxabc', { to: 4 }, 'no'],
  ['xxABC', {}, 'no'],
] as const)('abc in %s, %j: %s', (text, scan, expected) => {
  expect(look(text, { pattern: abc, ...scan })).toBe(expected);
});

it('capital letters stand for both when case is ignored', () => {
  expect(look('xxaBc', { pattern: '414243', ignoreCase: true })).toBe('yes');
  // 0x40 and 0x60 differ as letters do, and are none.
  expect(look('`', { pattern: '40', ignoreCase: true })).toBe('no');
  // U+00E0 is c3 a0 in UTF-8; the letters are those of single bytes.
  expect(look('\u00e0', { pattern: 'c3a0', ignoreCase: true })).toBe('yes');
  expect(look('\u00e0', { pattern: 'c380', ignoreCase: true })).toBe('no');
});

it('capitals are those of Latin-1', () => {
  const moved = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => capital(byte) !== byte);
  const latin = String.fromCharCode(...moved);
  expect(latin).toBe('abcdefghijklmnopqrstuvwxyzßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ');
});

it('one algorithm sees the borders of pieces', () => {
  expect(look('xxabcxx', { pattern: abc }, [4, 3])).toBe('yes');
  expect(look('xxabcxx', { pattern: abc, acrossPieces: false }, [4, 3])).toBe('no');
  expect(look('xxabcxx', { pattern: abc, acrossPieces: false }, [2, 3, 2])).toBe('yes');
});

it('finds what a plain search finds', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 30 });
  const word = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(text, word, (within, wanted) => {
      const found = look(within, { pattern: Buffer.from(wanted).toString('hex') }) === 'yes';
      expect(found).toBe(within.includes(wanted));
    }),
  );
});
