import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { frag } from './frag.ts';

describe('frag', () => {
  it.each<PrintCase>([['--fragid 6:5', 'refused', { family: 'ipv6' }]])('%s', (text, expected, context) => {
    expect(printed(frag, text, context)).toBe(expected === '=' ? text : expected);
  });
});
