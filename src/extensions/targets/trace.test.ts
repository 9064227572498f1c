import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { trace } from './trace.ts';

describe('TRACE', () => {
  it.each<PrintCase>([['', '', { table: 'raw' }]])('%s', (text, expected, context) => {
    expect(printed(trace, text, context)).toBe(expected === '=' ? text : expected);
  });
});
