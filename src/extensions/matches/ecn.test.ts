import { describe, expect, it } from 'vitest';
import { type CaseContext, lowers, type PrintCase, printed } from '../case-runner.ts';
import { ecn } from './ecn.ts';

describe('ecn', () => {
  it.each<PrintCase>([
    ['--ecn-ip-ect 3', '=', { protocol: 6 }],
    ['--ecn-ip-ect 3', '='],
    ['--ecn-ip-ect 4', 'refused'],
    ['', 'refused'],
    ['--ecn-tcp-ece', '=', { protocol: 6 }],
    ['--ecn-tcp-ece --ecn-tcp-cwr', '=', { protocol: 6 }],
    ['--ecn-tcp-ece', 'refused', { protocol: -6 }],
    ['--ecn-ip-ect 0 ! --ecn-ip-ect 1', 'refused'],
    ['! --ecn-ip-ect 1', '='],
  ])('%s', (text, expected, context) => {
    expect(printed(ecn, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('ecn lowers to', () => {
  it.each<[string, readonly string[], CaseContext?]>([
    ['--ecn-ip-ect 2', ['require network[0:16] & 0x30 = 32'], { family: 'ipv6' }],
    [
      '--ecn-tcp-ece ! --ecn-tcp-cwr ! --ecn-ip-ect 0',
      [
        'require ip.tos & 0x3 = 1-3',
        'require transport.length = 20-0xffffffff',
        'require tcp.flags & 0x40 = 64',
        'require tcp.flags & 0x80 = 0',
      ],
      { protocol: 6 },
    ],
  ])('%s', (text, expected, context) => {
    expect(lowers(ecn, text, context)).toEqual(expected);
  });
});
