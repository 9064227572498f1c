import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { dscp } from './dscp.ts';

describe('dscp', () => {
  it.each<PrintCase>([
    ['! --dscp 46', '! --dscp 0x2e'],
    ['! --dscp-class ef', '! --dscp 0x2e'],
    ['--dscp-class LE', 'refused'],
    ['--dscp-class VA', 'refused'],
    ['--dscp-class AF43', '--dscp 0x26'],
  ])('%s', (text, expected, context) => {
    expect(printed(dscp, text, context)).toBe(expected === '=' ? text : expected);
  });
});
