import { describe, expect, it } from 'vitest';
import { asks, type PrintCase, printed } from '../case-runner.ts';
import { rateest } from './rateest.ts';

describe('rateest', () => {
  it.each<PrintCase>([
    ['--rateest1 RE1 --rateest-gt --rateest-pps1 5', '--rateest RE1 --rateest-gt --rateest-pps 0'],
    ['--rateest RE1 --rateest-gt --rateest-pps 5', '='],
    ['--rateest RE1 --rateest-gt --rateest-bps 5', '--rateest RE1 --rateest-gt --rateest-bps 0bit'],
    ['--rateest RE1 --rateest-gt --rateest-bps 5kbit', '--rateest RE1 --rateest-gt --rateest-bps 5000bit'],
    ['--rateest RE1 --rateest-gt --rateest-bps 5mbit', '--rateest RE1 --rateest-gt --rateest-bps 5000Kbit'],
    ['--rateest RE1 --rateest-gt --rateest-bps 5kbps', '--rateest RE1 --rateest-gt --rateest-bps 40000bit'],
    ['--rateest RE1 --rateest-gt --rateest-bps 5mbps', '--rateest RE1 --rateest-gt --rateest-bps 40000Kbit'],
    ['--rateest RE1 --rateest-gt --rateest-bps 5bps', '--rateest RE1 --rateest-gt --rateest-bps 40bit'],
    ['--rateest RE1 --rateest-gt --rateest-bps 8bit', '='],
    ['--rateest RE1 --rateest-gt --rateest-bps 1.5Mbit', '--rateest RE1 --rateest-gt --rateest-bps 1500Kbit'],
    ['--rateest RE1 --rateest-gt --rateest-bps 1gbit', '--rateest RE1 --rateest-gt --rateest-bps 1000Mbit'],
    ['--rateest RE1 --rateest-gt --rateest-bps 1kibit', '--rateest RE1 --rateest-gt --rateest-bps 1024bit'],
    ['--rateest RE1 --rateest-gt --rateest-bps 1foo', 'refused'],
    ['--rateest RE1 --rateest-gt --rateest-bps 0', '--rateest RE1 --rateest-gt --rateest-bps 0bit'],
    ['--rateest RE1 --rateest-gt --rateest-bps 30gbit', '--rateest RE1 --rateest-gt --rateest-bps 30000Mbit'],
    ['--rateest RE1 --rateest-gt --rateest-bps 1001', '--rateest RE1 --rateest-gt --rateest-bps 1000bit'],
    [
      '--rateest RE1 --rateest-lt --rateest2 RE2 --rateest-bps',
      '--rateest1 RE1 --rateest-lt --rateest-bps --rateest2 RE2',
    ],
    [
      '--rateest1 RE1 --rateest-lt --rateest2 RE2 --rateest-pps',
      '--rateest1 RE1 --rateest-lt --rateest-pps --rateest2 RE2',
    ],
    ['--rateest1 RE1 --rateest-lt --rateest2 RE2', 'refused'],
    [
      '--rateest1 RE1 ! --rateest-lt --rateest2 RE2 --rateest-bps1',
      '--rateest1 RE1 ! --rateest-lt --rateest-bps --rateest2 RE2',
    ],
    [
      '--rateest1 RE1 --rateest-eq --rateest2 RE2 --rateest-pps1',
      '--rateest1 RE1 --rateest-eq --rateest-pps --rateest2 RE2',
    ],
    [
      '--rateest-delta --rateest1 RE1 --rateest-bps1 5kbit --rateest-gt --rateest2 RE2 --rateest-bps2 6kbit',
      '--rateest-delta --rateest1 RE1 --rateest-bps1 5000bit --rateest-gt --rateest-bps2 6000bit --rateest2 RE2',
    ],
    [
      '--rateest-delta --rateest1 RE1 --rateest-bps1 5kbit --rateest-gt --rateest2 RE2',
      '--rateest-delta --rateest1 RE1 --rateest-bps1 5000bit --rateest-gt --rateest-bps2 0bit --rateest2 RE2',
    ],
    [
      '--rateest-delta --rateest1 RE1 --rateest-bps1 5kbit --rateest-gt --rateest-bps2 4kbit',
      '--rateest-delta --rateest RE1 --rateest-bps1 5000bit --rateest-gt --rateest-bps2 4000bit',
    ],
    [
      '--rateest-delta --rateest RE1 --rateest-bps1 5kbit --rateest-gt',
      '--rateest-delta --rateest RE1 --rateest-bps1 5000bit --rateest-gt --rateest-bps2 0bit',
    ],
    ['--rateest-delta --rateest RE1 --rateest-pps1 5 --rateest-gt --rateest-pps2 6', '='],
    [
      '--rateest-delta --rateest RE1 --rateest-pps1 5 ! --rateest-gt --rateest2 RE2 --rateest-pps2 6',
      '--rateest-delta --rateest1 RE1 --rateest-pps1 5 ! --rateest-gt --rateest-pps2 6 --rateest2 RE2',
    ],
    [
      '--rateest1 RE1 --rateest-pps1 5 --rateest-gt --rateest2 RE2 --rateest-pps2 6',
      '--rateest1 RE1 --rateest-gt --rateest-pps --rateest2 RE2',
    ],
    ['--rateest1 RE1 --rateest-pps1 5', 'refused'],
    ['--rateest1 RE1 --rateest-gt', 'refused'],
    ['--rateest1 RE1 --rateest-gt --rateest-pps2 5', '--rateest RE1 --rateest-gt --rateest-pps 5'],
    ['--rateest-gt --rateest-pps1 5', 'refused'],
    ['', 'refused'],
    ['--rateest RE1 --rateest-gt --rateest-bps 1Mibps', '--rateest RE1 --rateest-gt --rateest-bps 8388608bit'],
    ['--rateest RE1 --rateest-gt --rateest-bps 40gbit', 'refused'],
    [
      '--rateest1 RE1 --rateest-pps1 5 --rateest-bps1 6 --rateest-gt',
      '--rateest RE1 --rateest-gt --rateest-bps 0bit --rateest-pps 0',
    ],
  ])('%s', (text, expected, context) => {
    expect(printed(rateest, text, context)).toBe(expected === '=' ? text : expected);
  });

  it('asks the kernel', () => {
    const plain = { kind: 'rateest', estimators: ['a'], compare: 'gt', delta: false };
    expect(asks(rateest, '--rateest a --rateest-gt --rateest-pps 5')).toEqual([{ ...plain, pps: [0, 5] }]);
    expect(asks(rateest, '--rateest1 a ! --rateest-lt --rateest2 b --rateest-bps')).toEqual([
      { ...plain, estimators: ['a', 'b'], compare: 'lt', bps: [0, 0] },
    ]);
    expect(
      asks(rateest, '--rateest-delta --rateest1 a --rateest-bps1 8kbit --rateest-eq --rateest-bps2 16kbit'),
    ).toEqual([{ ...plain, compare: 'eq', delta: true, bps: [1000, 2000] }]);
  });
});
