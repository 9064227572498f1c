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

  it('stays with the kernel', () => {
    expect(lowers(eui64, '', { family: 'ipv6' })[0]).toMatch(/^cannot: /);
  });
});
