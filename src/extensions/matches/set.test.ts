import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { set } from './set.ts';

describe('set', () => {
  it.each<PrintCase>([['--match-set foo src ! --match-set foo src', 'refused']])('%s', (text, expected, context) => {
    expect(printed(set, text, context)).toBe(expected === '=' ? text : expected);
  });
});
