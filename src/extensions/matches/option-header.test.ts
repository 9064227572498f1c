import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { dst, hbh } from './option-header.ts';

describe('dst', () => {
  it.each<PrintCase>([['--dst-opts 6:2 --dst-not-strict', 'refused', { family: 'ipv6' }]])(
    '%s',
    (text, expected, context) => {
      expect(printed(dst, text, context)).toBe(expected === '=' ? text : expected);
    },
  );
});

describe('hbh', () => {
  it.each<PrintCase>([['', '', { family: 'ipv6' }]])('%s', (text, expected, context) => {
    expect(printed(hbh, text, context)).toBe(expected === '=' ? text : expected);
  });
});
