import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { rateest } from './rateest.ts';

describe('RATEEST', () => {
  it.each<PrintCase>([
    [
      '--rateest-name RE16 --rateest-interval 2s --rateest-ewmalog 60s',
      '--rateest-name RE16 --rateest-interval 2.0s --rateest-ewmalog 32.0s',
    ],
  ])('%s', (text, expected, context) => {
    expect(printed(rateest, text, context)).toBe(expected === '=' ? text : expected);
  });
});
