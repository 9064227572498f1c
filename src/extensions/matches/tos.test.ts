import { describe, expect, it } from 'vitest';
import { type CaseContext, lowers, type PrintCase, printed } from '../case-runner.ts';
import { tos } from './tos.ts';

describe('tos', () => {
  it.each<PrintCase>([
    ['--tos 0x10/0x1f', '='],
    ['--tos 5/3', '--tos 0x05/0x03'],
    ['--tos 256', 'refused'],
    ['! --tos minimize-cost', '! --tos 0x02/0x3f'],
    ['--tos min', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(tos, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('tos lowers to', () => {
  it.each<[string, readonly string[], CaseContext?]>([
    ['--tos 0x10/0x3f', ['require ip.tos & 0x3f = 16']],
    ['--tos 0x41/0xff', ['require network[0:16] & 0xff0 = 1040'], { family: 'ipv6' }],
    ['--tos 0x11/0x10', ['require false'], { family: 'ipv6' }],
    ['! --tos 0x11/0x10', []],
    ['--tos 0/0', [], { family: 'ipv6' }],
  ])('%s', (text, expected, context) => {
    expect(lowers(tos, text, context)).toEqual(expected);
  });
});
