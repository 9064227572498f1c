import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { connsecmark } from './connsecmark.ts';

describe('CONNSECMARK', () => {
  it.each<PrintCase>([
    ['--save', '=', { table: 'mangle' }],
    ['--save --restore', 'refused', { table: 'security' }],
    ['--save', '=', { table: 'security' }],
  ])('%s', (text, expected, context) => {
    expect(printed(connsecmark, text, context)).toBe(expected === '=' ? text : expected);
  });
});
