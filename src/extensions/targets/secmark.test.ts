import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { secmark } from './secmark.ts';

describe('SECMARK', () => {
  it.each<PrintCase>([
    ['--selctx system_u:object_r:x_t:s0', '=', { table: 'security' }],
    ['', 'refused', { table: 'security' }],
  ])('%s', (text, expected, context) => {
    expect(printed(secmark, text, context)).toBe(expected === '=' ? text : expected);
  });
});
