import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
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
