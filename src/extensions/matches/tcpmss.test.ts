import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
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
