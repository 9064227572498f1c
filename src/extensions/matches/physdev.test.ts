import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { physdev } from './physdev.ts';

describe('physdev', () => {
  it.each<PrintCase>([['--physdev-out x', '=', { table: 'mangle' }]])('%s', (text, expected, context) => {
    expect(printed(physdev, text, context)).toBe(expected === '=' ? text : expected);
  });
});
