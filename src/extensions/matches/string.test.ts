import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { string } from './string.ts';

describe('string', () => {
  it.each<PrintCase>([['--hex-string "x\\\\" --algo bm', 'refused']])('%s', (text, expected, context) => {
    expect(printed(string, text, context)).toBe(expected === '=' ? text : expected);
  });
});
