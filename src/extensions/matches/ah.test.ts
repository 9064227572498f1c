import { describe, expect, it } from 'vitest';
import { type CaseContext, lowers, type PrintCase, printed } from '../case-runner.ts';
import { ah } from './ah.ts';
import { ah6 } from './ah6.ts';

describe('ah', () => {
  it.each<PrintCase>([
    ['--ahspi 0x10:', '--ahspi 16:4294967295', { protocol: 51 }],
    ['', '', { protocol: 51 }],
    ['--ahspi 0:4294967295', '', { protocol: 51 }],
    ['! --ahspi :', '! --ahspi 0:4294967295', { protocol: 51 }],
    ['--ahspi 4:3', 'refused', { protocol: 51 }],
    ['--ahspi 4294967296', 'refused', { protocol: 51 }],
  ])('%s', (text, expected, context) => {
    expect(printed(ah, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('ah of IPv6', () => {
  it.each<PrintCase>([
    ['--ahspi 5', '=', { family: 'ipv6', protocol: 51 }],
    ['--ahspi 5:6 --ahlen 32 --ahres', '=', { family: 'ipv6' }],
    ['! --ahspi 5 ! --ahlen 32', '=', { family: 'ipv6' }],
    ['', '', { family: 'ipv6' }],
    ['--ahspi 0:4294967295', '', { family: 'ipv6' }],
    ['--ahlen 0', '', { family: 'ipv6' }],
    ['! --ahlen 0', '=', { family: 'ipv6' }],
    ['--ahlen 4294967295', '=', { family: 'ipv6' }],
    ['--ahlen 4294967296', 'refused', { family: 'ipv6' }],
    ['--ahlen 1:2', 'refused', { family: 'ipv6' }],
    ['! --ahres', 'refused', { family: 'ipv6' }],
    ['! --ahspi 0:4294967295', '=', { family: 'ipv6' }],
  ])('%s', (text, expected, context) => {
    expect(printed(ah6, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('ah lowers to', () => {
  it.each<[string, readonly string[], CaseContext?]>([
    [
      '--ahspi 16:17',
      ['require ip.fragOffset = 0', 'hotdrop transport.length = 0-11', 'require transport[4:32] = 16-17'],
      { protocol: 51 },
    ],
    [
      '! --ahspi :',
      ['require ip.fragOffset = 0', 'hotdrop transport.length = 0-11', 'require false'],
      { protocol: 51 },
    ],
    ['', ['require ip.fragOffset = 0', 'hotdrop transport.length = 0-11'], { protocol: 51 }],
  ])('%s', (text, expected, context) => {
    expect(lowers(ah, text, context)).toEqual(expected);
  });
});
