import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { connlimit } from './connlimit.ts';

describe('connlimit', () => {
  it.each<PrintCase>([
    ['--connlimit-upto 5 --connlimit-mask 0', '--connlimit-upto 5 --connlimit-mask 0 --connlimit-saddr'],
    ['! --connlimit-upto 5', '--connlimit-above 5 --connlimit-mask 32 --connlimit-saddr'],
    ['! --connlimit-above 5', '--connlimit-upto 5 --connlimit-mask 32 --connlimit-saddr'],
    ['--connlimit-above 5 --connlimit-saddr --connlimit-daddr', 'refused'],
    ['--connlimit-above 5 --connlimit-upto 6', 'refused'],
    ['', 'refused'],
    ['--connlimit-mask 24', 'refused'],
    ['--connlimit-above 5 --connlimit-mask 255.255.0.0', '--connlimit-above 5 --connlimit-mask 16 --connlimit-saddr'],
    [
      '--connlimit-above 5 --connlimit-mask 24',
      '--connlimit-above 5 --connlimit-mask 24 --connlimit-saddr',
      { protocol: 6 },
    ],
    ['--connlimit-above 5 --connlimit-mask 129', 'refused', { family: 'ipv6' }],
    [
      '--connlimit-above 5 --connlimit-mask 64',
      '--connlimit-above 5 --connlimit-mask 64 --connlimit-saddr',
      { family: 'ipv6' },
    ],
    ['--connlimit-above 5', '--connlimit-above 5 --connlimit-mask 128 --connlimit-saddr', { family: 'ipv6' }],
    ['--connlimit-upto 5 --connlimit-mask 300.1', 'refused'],
    ['--connlimit-upto 5 --connlimit-mask -1', 'refused'],
    [
      '--connlimit-upto 5 --connlimit-mask ffff:ffff::',
      '--connlimit-upto 5 --connlimit-mask 32 --connlimit-saddr',
      { family: 'ipv6' },
    ],
  ])('%s', (text, expected, context) => {
    expect(printed(connlimit, text, context)).toBe(expected === '=' ? text : expected);
  });
});
