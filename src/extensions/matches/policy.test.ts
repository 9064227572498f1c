import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { policy } from './policy.ts';

describe('policy', () => {
  it.each<PrintCase>([['--next --strict --reqid 1 --dir in', 'refused']])('%s', (text, expected, context) => {
    expect(printed(policy, text, context)).toBe(expected === '=' ? text : expected);
  });
});
