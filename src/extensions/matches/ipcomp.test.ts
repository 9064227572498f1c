import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { ipcomp } from './ipcomp.ts';

describe('ipcomp', () => {
  it.each<PrintCase>([['--ipcompspi 4:3', 'refused', { protocol: 108 }]])('%s', (text, expected, context) => {
    expect(printed(ipcomp, text, context)).toBe(expected === '=' ? text : expected);
  });
});
