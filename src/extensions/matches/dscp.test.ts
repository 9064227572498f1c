import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { dscp } from './dscp.ts';

describe('dscp', () => {
  it.each<PrintCase>([['--dscp-class AF43', '--dscp 0x26']])('%s', (text, expected, context) => {
    expect(printed(dscp, text, context)).toBe(expected === '=' ? text : expected);
  });
});
