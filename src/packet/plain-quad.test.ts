import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainQuad } from './plain-quad.ts';

/** The same in the obvious way. */
function obvious(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined;
  return parts.reduce((value, part) => value * 256 + Number(part), 0);
}

test.each([
  ['1.2.3.4', 0x01020304],
  ['0.0.0.0', 0],
  ['255.255.255.255', 0xffff_ffff],
  ['256.0.0.0', undefined],
  ['01.2.3.4', undefined],
  ['1.2.3', undefined],
  ['1.2.3.', undefined],
  ['1.2.3.4.', undefined],
  ['.1.2.3', undefined],
  ['', undefined],
])('%s', (text, expected) => {
  expect(plainQuad(text)).toBe(expected);
});

test('any text', () => {
  const nearly = fc.string({ unit: fc.constantFrom(...'0012359.. x'), maxLength: 16 });
  const quads = fc
    .array(fc.integer({ min: 0, max: 300 }), { minLength: 3, maxLength: 5 })
    .map((parts) => parts.join('.'));
  fc.assert(
    fc.property(fc.oneof(nearly, quads), (text) => {
      expect(plainQuad(text)).toBe(obvious(text));
    }),
  );
});
