import { describe, expect, it } from 'vitest';
import { type CaseContext, lowers, type PrintCase, printed } from '../case-runner.ts';
import { esp } from './esp.ts';

describe('esp', () => {
  it.each<PrintCase>([
    ['--espspi 0x10', '--espspi 16', { protocol: 50 }],
    ['--espspi ""', '--espspi 0', { protocol: 50 }],
    ['! --espspi :', '! --espspi 0:4294967295', { protocol: 50 }],
    ['--espspi 4:3', 'refused', { protocol: 50 }],
  ])('%s', (text, expected, context) => {
    expect(printed(esp, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('esp lowers to', () => {
  it.each<[string, readonly string[], CaseContext?]>([
    [
      '! --espspi 16',
      ['require ip6.fragOffset = 0', 'hotdrop transport.length = 0-7', 'require transport[0:32] = 0-15|17-0xffffffff'],
      { protocol: 50, family: 'ipv6' },
    ],
  ])('%s', (text, expected, context) => {
    expect(lowers(esp, text, context)).toEqual(expected);
  });
});
