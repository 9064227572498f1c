import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { dccp } from './dccp.ts';

describe('dccp', () => {
  it.each<PrintCase>([['', '', { protocol: 33 }]])('%s', (text, expected, context) => {
    expect(printed(dccp, text, context)).toBe(expected === '=' ? text : expected);
  });
});
