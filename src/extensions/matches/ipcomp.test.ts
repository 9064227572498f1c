import { describe, expect, it } from 'vitest';
import { type CaseContext, lowers, type PrintCase, printed } from '../case-runner.ts';
import { ipcomp } from './ipcomp.ts';

describe('ipcomp', () => {
  it.each<PrintCase>([
    ['--ipcompspi 5 --compres', '=', { protocol: 108 }],
    ['--ipcompspi 0x10:0xff', '--ipcompspi 16:255', { protocol: 108 }],
    ['--ipcompspi 0x10000', '--ipcompspi 65536', { protocol: 108 }],
    ['', '', { protocol: 108 }],
    ['--ipcompspi :', '', { protocol: 108 }],
    ['--ipcompspi 4:3', 'refused', { protocol: 108 }],
  ])('%s', (text, expected, context) => {
    expect(printed(ipcomp, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('ipcomp lowers to', () => {
  it.each<[string, readonly string[], CaseContext?]>([
    [
      '--ipcompspi 7 --compres',
      ['require ip.fragOffset = 0', 'hotdrop transport.length = 0-3', 'require transport[2:16] = 7'],
      { protocol: 108 },
    ],
    [
      '--ipcompspi 65536',
      ['require ip.fragOffset = 0', 'hotdrop transport.length = 0-3', 'require false'],
      { protocol: 108 },
    ],
  ])('%s', (text, expected, context) => {
    expect(lowers(ipcomp, text, context)).toEqual(expected);
  });
});
