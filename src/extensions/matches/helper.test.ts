import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
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

describe('conditions', () => {
  it('--helper ab', () => {
    expect(lowers(helper, '--helper ab')).toMatchInlineSnapshot(`
      [
        "require (ct.helped = 1 and (ct.helper & 0xff000000000000000000000000000000 = 0 or ct.helper & 0xffff0000000000000000000000000000 = 0x61000000000000000000000000000000 or ct.helper & 0xffffff00000000000000000000000000 = 0x61620000000000000000000000000000))",
      ]
    `);
  });
  it('! --helper ""', () => {
    expect(lowers(helper, '! --helper ""')).toMatchInlineSnapshot(`
      [
        "require ct.helped = 0",
      ]
    `);
  });
});
