import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { ah } from './ah.ts';
import { ah6 } from './ah6.ts';

describe('ah', () => {
  it.each<PrintCase>([['--ahspi 4294967296', 'refused', { protocol: 51 }]])('%s', (text, expected, context) => {
    expect(printed(ah, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('ah of IPv6', () => {
  it.each<PrintCase>([['! --ahspi 0:4294967295', '=', { family: 'ipv6' }]])('%s', (text, expected, context) => {
    expect(printed(ah6, text, context)).toBe(expected === '=' ? text : expected);
  });
});
