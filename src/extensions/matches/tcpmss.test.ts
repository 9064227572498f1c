import { describe, expect, it } from 'vitest';
import { type CaseContext, lowers, type PrintCase, printed } from '../case-runner.ts';
import { tcpmss } from './tcpmss.ts';

describe('tcpmss', () => {
  it.each<PrintCase>([
    ['! --mss 5', '=', { protocol: 6 }],
    ['! --mss :', '! --mss 0:65535', { protocol: 6 }],
    ['', 'refused', { protocol: 6 }],
    ['--mss 5', '=', { family: 'ipv6', protocol: 6 }],
  ])('%s', (text, expected, context) => {
    expect(printed(tcpmss, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('tcpmss lowers to', () => {
  it.each<[string, readonly string[], CaseContext?]>([
    [
      '! --mss 536:1460',
      [
        'hotdrop transport.length = 0-19',
        'hotdrop tcp.headerLength = 0-19',
        'hotdrop not tcp options readable',
        'require not {"kind":"tcpMss","ranges":[{"min":536,"max":1460}]}',
      ],
      { protocol: 6 },
    ],
  ])('%s', (text, expected, context) => {
    expect(lowers(tcpmss, text, context)).toEqual(expected);
  });
});
