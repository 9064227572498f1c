import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { ipv6header } from './ipv6header.ts';

describe('ipv6header', () => {
  it.each<PrintCase>([['--header icmpv6', 'refused', { family: 'ipv6' }]])('%s', (text, expected, context) => {
    expect(printed(ipv6header, text, context)).toBe(expected === '=' ? text : expected);
  });
});
