import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { hmark } from './hmark.ts';

describe('HMARK', () => {
  it.each<PrintCase>([['--hmark-rnd 7 --hmark-tuple src,,dst --hmark-mod 10', 'refused', { table: 'mangle' }]])(
    '%s',
    (text, expected, context) => {
      expect(printed(hmark, text, context)).toBe(expected === '=' ? text : expected);
    },
  );
});
