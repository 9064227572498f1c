import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { rpfilter } from './rpfilter.ts';

describe('rpfilter', () => {
  it.each<PrintCase>([
    ['--invert', '=', { table: 'mangle' }],
    ['--loose', '=', { table: 'raw' }],
    ['! --loose', 'refused', { table: 'mangle' }],
    ['--accept-local --invert --validmark', '--validmark --accept-local --invert', { table: 'mangle' }],
  ])('%s', (text, expected, context) => {
    expect(printed(rpfilter, text, context)).toBe(expected === '=' ? text : expected);
  });
});
