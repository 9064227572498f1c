import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { secmark } from './secmark.ts';

describe('SECMARK', () => {
  it.each<PrintCase>([['', 'refused', { table: 'security' }]])('%s', (text, expected, context) => {
    expect(printed(secmark, text, context)).toBe(expected === '=' ? text : expected);
  });
});
