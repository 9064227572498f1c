import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { time } from './time.ts';

describe('time', () => {
  it.each<PrintCase>([['--datestart 2024-00', 'refused']])('%s', (text, expected, context) => {
    expect(printed(time, text, context)).toBe(expected === '=' ? text : expected);
  });
});
