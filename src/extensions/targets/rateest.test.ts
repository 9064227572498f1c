import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { rateest } from './rateest.ts';

describe('RATEEST', () => {
  it.each<PrintCase>([
    [
      '--rateest-name RE1 --rateest-interval 250ms --rateest-ewmalog 0.5s',
      '--rateest-name RE1 --rateest-interval 250.0ms --rateest-ewmalog 500.0ms',
    ],
    ['--rateest-name RE3 --rateest-interval 0.5 --rateest-ewmalog 2', 'refused'],
    [
      '--rateest-name RE4 --rateest-interval 250000us --rateest-ewmalog 500msec',
      '--rateest-name RE4 --rateest-interval 250.0ms --rateest-ewmalog 500.0ms',
    ],
    [
      '--rateest-name RE5 --rateest-interval 300ms --rateest-ewmalog 700ms',
      '--rateest-name RE5 --rateest-interval 500.0ms --rateest-ewmalog 1.0s',
    ],
    [
      '--rateest-name RE6 --rateest-interval 8s --rateest-ewmalog 16s',
      '--rateest-name RE6 --rateest-interval 8.0s --rateest-ewmalog 16.0s',
    ],
    ['--rateest-name RE1 --rateest-interval 2 --rateest-ewmalog 500.0ms', 'refused'],
    ['--rateest-name RE7 --rateest-interval 9s --rateest-ewmalog 16s', 'refused'],
    ['--rateest-name RE8 --rateest-interval 1s --rateest-ewmalog 1s', 'refused'],
    ['--rateest-name RE9 --rateest-interval 1s --rateest-ewmalog 0.5s', 'refused'],
    [
      '--rateest-name RE10 --rateest-interval 1s --rateest-ewmalog 100s',
      '--rateest-name RE10 --rateest-interval 1.0s --rateest-ewmalog 64.0s',
    ],
    [
      '--rateest-name RE10a --rateest-interval 1s --rateest-ewmalog 32s',
      '--rateest-name RE10a --rateest-interval 1.0s --rateest-ewmalog 32.0s',
    ],
    ['--rateest-name RE11 --rateest-interval 1s', 'refused'],
    ['--rateest-name RE12 --rateest-ewmalog 1s', 'refused'],
    ['--rateest-interval 1s --rateest-ewmalog 2s', 'refused'],
    [
      '--rateest-name 012345678901234567890 --rateest-interval 1s --rateest-ewmalog 2s',
      '--rateest-name 012345678901234 --rateest-interval 1.0s --rateest-ewmalog 2.0s',
    ],
    [
      '--rateest-name 012345678901234 --rateest-interval 1s --rateest-ewmalog 2s',
      '--rateest-name 012345678901234 --rateest-interval 1.0s --rateest-ewmalog 2.0s',
    ],
    [
      '--rateest-name 0123456789012345 --rateest-interval 1s --rateest-ewmalog 2s',
      '--rateest-name 012345678901234 --rateest-interval 1.0s --rateest-ewmalog 2.0s',
    ],
    ['--rateest-name RE13 --rateest-interval foo --rateest-ewmalog 2s', 'refused'],
    [
      '--rateest-name RE14 --rateest-interval 100ms --rateest-ewmalog 2s',
      '--rateest-name RE14 --rateest-interval 250.0ms --rateest-ewmalog 4.0s',
    ],
    [
      '--rateest-name RE15 --rateest-interval 249ms --rateest-ewmalog 2s',
      '--rateest-name RE15 --rateest-interval 250.0ms --rateest-ewmalog 2.0s',
    ],
    [
      '--rateest-name RE16 --rateest-interval 2s --rateest-ewmalog 60s',
      '--rateest-name RE16 --rateest-interval 2.0s --rateest-ewmalog 32.0s',
    ],
  ])('%s', (text, expected, context) => {
    expect(printed(rateest, text, context)).toBe(expected === '=' ? text : expected);
  });
});
