import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { helper } from './helper.ts';

describe('helper', () => {
  it.each<PrintCase>([
    ['--helper ftp-2121', '='],
    ['--helper ""', '='],
    ['! --helper "a b"', '='],
    ['--helper 012345678901234567890123456789', '--helper 01234567890123456789012345678'],
    ['--helper 01234567890123456789012345678', '='],
    ['--helper wrong', '='],
    ['--helper "a\'b"', '--helper "a\\\'b"'],
  ])('%s', (text, expected, context) => {
    expect(printed(helper, text, context)).toBe(expected === '=' ? text : expected);
  });
});
