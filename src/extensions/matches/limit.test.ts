import { describe, expect, it } from 'vitest';
import { lowers, printed } from '../case-runner.ts';
import { limit } from './limit.ts';
import { statistic } from './statistic.ts';

describe('limit', () => {
  it.each([
    ['', '--limit 3/hour'],
    ['--limit 5', '--limit 5/sec'],
    ['--limit 5/s', '--limit 5/sec'],
    ['--limit 5/second', '--limit 5/sec'],
    ['--limit 5/MIN', '--limit 5/min'],
    ['--limit 60/min', '--limit 1/sec'],
    ['--limit 90/min', '--limit 90/min'],
    ['--limit 600/hour', '--limit 10/min'],
    ['--limit 24/day', '--limit 1/hour'],
    ['--limit 25/day', '--limit 25/day'],
    ['--limit 6000/s', '--limit 10000/sec'],
    ['--limit 100000/min', '--limit 1666/sec'],
    ['--limit 10001/s', 'refused'],
    ['--limit 0/s', 'refused'],
    ['--limit 5/seconds', 'refused'],
    ['--limit 5/', 'refused'],
    ['--limit 5/s --limit-burst 5', '--limit 5/sec'],
    ['--limit-burst 10', '--limit 3/hour --limit-burst 10'],
    ['--limit 5/s --limit-burst 10000', '--limit 5/sec --limit-burst 10000'],
    ['--limit 5/s --limit-burst 10001', 'refused'],
    ['--limit 5/s --limit-burst 0', 'refused'],
    ['! --limit 5/s', 'refused'],
    // The kernel's 32 bits overflow, or overflow so far that it does not see it.
    ['--limit 1/day --limit-burst 1', '--limit 1/day --limit-burst 1'],
    ['--limit 1/day', 'refused'],
    ['--limit 1/day --limit-burst 6', '--limit 1/day --limit-burst 6'],
    ['--limit 1/day --limit-burst 20', 'refused'],
    ['--limit 1/day --limit-burst 21', '--limit 1/day --limit-burst 21'],
    ['--limit 2/day', '--limit 2/day'],
    ['--limit 3/day', 'refused'],
    ['--limit 1/hour --limit-burst 119', '--limit 1/hour --limit-burst 119'],
    ['--limit 1/hour --limit-burst 120', 'refused'],
    ['--limit 1/hour --limit-burst 10000', '--limit 1/hour --limit-burst 10000'],
  ])('%s', (given, expected) => {
    expect(printed(limit, given)).toBe(expected);
  });

  it('lowers to a state of its own', () => {
    expect(lowers(limit, '--limit 5/s')).toEqual(['limit avg 2000 burst 5']);
    expect(lowers(limit, '--limit 7/min --limit-burst 3')).toEqual(['limit avg 85714 burst 3']);
  });
});

describe('statistic', () => {
  const RANDOM = '--mode random';

  it.each([
    [`${RANDOM} --probability 0.5`, `${RANDOM} --probability 0.50000000000`],
    [`${RANDOM} --probability 0.33`, `${RANDOM} --probability 0.33000000007`],
    [`${RANDOM} --probability 0.33333333349`, `${RANDOM} --probability 0.33333333349`],
    [`${RANDOM} ! --probability 0.1`, `${RANDOM} ! --probability 0.10000000009`],
    [`${RANDOM} --probability 1`, `${RANDOM} --probability 1.00000000000`],
    [`${RANDOM} --probability 1e-3`, `${RANDOM} --probability 0.00100000016`],
    [`${RANDOM} --probability 0.9999999999`, `${RANDOM} --probability 1.00000000000`],
    [`${RANDOM} --probability 1.1`, 'refused'],
    [`${RANDOM} --probability -0.1`, 'refused'],
    [`${RANDOM} --probability 0.5abc`, 'refused'],
    [RANDOM, 'refused'],
    ['--packet 1 --every 3 --mode nth', '--mode nth --every 3 --packet 1'],
    ['--mode nth ! --every 3 --packet 0', '--mode nth ! --every 3 --packet 0'],
    ['--mode nth --every 4294967295 --packet 4294967294', '--mode nth --every 4294967295 --packet 4294967294'],
    ['--mode nth --every 3 --packet 3', 'refused'],
    ['--mode nth --every 3', 'refused'],
    ['--mode nth --packet 0', 'refused'],
    ['--mode nth --every 0 --packet 0', 'refused'],
    ['--mode nth --probability 0.5', 'refused'],
    [`${RANDOM} --every 3 --packet 1`, 'refused'],
    [`${RANDOM} --probability 0.5 --every 3 --packet 1`, 'refused'],
    ['--mode r --probability 0.2', 'refused'],
    ['--probability 0.5', 'refused'],
  ])('%s', (given, expected) => {
    expect(printed(statistic, given)).toBe(expected);
  });

  it('lowers chance to a fraction of 2^31', () => {
    expect(lowers(statistic, '--mode random --probability 0.5')).toEqual(['random 1073741824']);
    expect(lowers(statistic, '--mode random ! --probability 1')).toEqual(['not random 2147483648']);
  });

  it('lowers nth to a count that reaches its end after `packet` packets', () => {
    expect(lowers(statistic, '--mode nth --every 3 --packet 0')).toEqual(['nth every 2 from 2']);
    expect(lowers(statistic, '--mode nth ! --every 3 --packet 2')).toEqual(['not nth every 2 from 0']);
    expect(lowers(statistic, '--mode nth --every 1 --packet 0')).toEqual(['nth every 0 from 0']);
  });
});
