import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { connlimit } from './connlimit.ts';

describe('connlimit', () => {
  it.each<PrintCase>([
    [
      '--connlimit-upto 5 --connlimit-mask ffff:ffff::',
      '--connlimit-upto 5 --connlimit-mask 32 --connlimit-saddr',
      { family: 'ipv6' },
    ],
  ])('%s', (text, expected, context) => {
    expect(printed(connlimit, text, context)).toBe(expected === '=' ? text : expected);
  });
});
