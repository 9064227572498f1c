import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { u32 } from './u32.ts';

describe('u32', () => {
  it.each<PrintCase>([['--u32 "  1=1"', '--u32 "0x1=0x1"']])('%s', (text, expected, context) => {
    expect(printed(u32, text, context)).toBe(expected === '=' ? text : expected);
  });
});
