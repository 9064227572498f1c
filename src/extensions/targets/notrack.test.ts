import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { notrack } from './notrack.ts';

describe('NOTRACK', () => {
  it.each<PrintCase>([['', '', { table: 'raw' }]])('%s', (text, expected, context) => {
    expect(printed(notrack, text, context)).toBe(expected === '=' ? text : expected);
  });
});
