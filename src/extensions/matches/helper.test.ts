import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { helper } from './helper.ts';

describe('helper', () => {
  it.each<PrintCase>([['--helper "a\'b"', '--helper "a\\\'b"']])('%s', (text, expected, context) => {
    expect(printed(helper, text, context)).toBe(expected === '=' ? text : expected);
  });
});
