import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { rateest } from './rateest.ts';

describe('rateest', () => {
  it.each<PrintCase>([
    [
      '--rateest1 RE1 --rateest-pps1 5 --rateest-bps1 6 --rateest-gt',
      '--rateest RE1 --rateest-gt --rateest-bps 0bit --rateest-pps 0',
    ],
  ])('%s', (text, expected, context) => {
    expect(printed(rateest, text, context)).toBe(expected === '=' ? text : expected);
  });
});
