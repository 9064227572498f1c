import { describe, expect, it } from 'vitest';
import { type CaseContext, lowers, type PrintCase, printed } from '../case-runner.ts';
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

describe('dscp lowers to', () => {
  it.each<[string, readonly string[], CaseContext?]>([
    ['--dscp 0x2e', ['require ip.tos & 0xfc = 184']],
    ['! --dscp 0x2e', ['require network[0:16] & 0xfc0 = 0-2880|3008-4032'], { family: 'ipv6' }],
  ])('%s', (text, expected, context) => {
    expect(lowers(dscp, text, context)).toEqual(expected);
  });
});
