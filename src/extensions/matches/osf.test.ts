import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { osf } from './osf.ts';

describe('osf', () => {
  it.each<PrintCase>([['--genre Linux --log 3', 'refused', { protocol: 6 }]])('%s', (text, expected, context) => {
    expect(printed(osf, text, context)).toBe(expected === '=' ? text : expected);
  });
});
