import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
import { quota } from './quota.ts';

describe('quota', () => {
  it.each<PrintCase>([
    ['--quota 0x10', '--quota 16'],
    ['! --quota 10', '='],
    ['--quota -1', 'refused'],
    ['--quota ""', 'refused'],
    ['! --quota 18446744073709551615', '='],
    ['--quota 18446744073709551616', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(quota, text, context)).toBe(expected === '=' ? text : expected);
  });

  it('lowers to bytes left', () => {
    expect(lowers(quota, '--quota 100')).toEqual(['quota 100']);
    expect(lowers(quota, '! --quota 18446744073709551615')).toEqual(['not quota 18446744073709551615']);
  });
});
