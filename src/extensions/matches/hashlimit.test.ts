import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { hashlimit } from './hashlimit.ts';

describe('hashlimit', () => {
  it.each<PrintCase>([['--hashlimit-name x --hashlimit-upto 2b/s', 'refused']])('%s', (text, expected, context) => {
    expect(printed(hashlimit, text, context)).toBe(expected === '=' ? text : expected);
  });
});
