import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
import { eui64 } from './eui64.ts';

describe('eui64', () => {
  it.each<PrintCase>([
    ['', '', { family: 'ipv6' }],
    ['', '', { family: 'ipv6', table: 'mangle' }],
  ])('%s', (text, expected, context) => {
    expect(printed(eui64, text, context)).toBe(expected === '=' ? text : expected);
  });

  it('drops what should have a header and has none', () => {
    expect(lowers(eui64, '', { family: 'ipv6' })).toEqual(['hotdrop mac.eui64 = 2', 'require mac.eui64 = 1']);
  });
});
