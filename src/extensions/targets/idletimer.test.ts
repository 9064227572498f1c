import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { idletimer } from './idletimer.ts';

describe('IDLETIMER', () => {
  it.each<PrintCase>([['--timeout 5 --label power', 'refused']])('%s', (text, expected, context) => {
    expect(printed(idletimer, text, context)).toBe(expected === '=' ? text : expected);
  });
});
