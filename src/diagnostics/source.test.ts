import fc from 'fast-check';
import { expect, it } from 'vitest';
import { lineAt, positionOf } from './source.ts';

it('positions count lines and columns from one', () => {
  const source = { name: 'x', text: 'ab\n\ncd' };
  const at = (offset: number): string => {
    const { line, column } = positionOf(source, offset);
    return `${line}:${column} ${lineAt(source, offset)}`;
  };
  expect([0, 1, 2, 3, 4, 6].map(at)).toEqual(['1:1 ab', '1:2 ab', '1:3 ab', '2:1 ', '3:1 cd', '3:3 cd']);
});

it('every offset lies on the line that holds it', () => {
  const text = fc.array(fc.constantFrom('a', '\n', 'é')).map((parts) => parts.join(''));
  const property = fc.property(text, fc.nat(), (value, random) => {
    const offset = random % (value.length + 1);
    const { line, column } = positionOf({ name: 'x', text: value }, offset);
    const before = value.slice(0, offset).split('\n');
    expect(lineAt({ name: 'x', text: value }, offset)).toBe(value.split('\n')[line - 1]);
    expect([line, column]).toEqual([before.length, (before.at(-1) ?? '').length + 1]);
  });
  fc.assert(property);
});
