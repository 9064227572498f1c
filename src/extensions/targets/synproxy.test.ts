import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { synproxy } from './synproxy.ts';

describe('SYNPROXY', () => {
  it.each<PrintCase>([
    ['', '', { protocol: 6 }],
    ['--ecn --mss 0', '--mss 0 --ecn', { protocol: 6 }],
    ['--wscale 14', '=', { protocol: 6 }],
    ['--wscale 15', '=', { protocol: 6 }],
    ['--mss 65535', '=', { protocol: 6 }],
    ['--mss 1460', '=', { table: 'mangle', protocol: 6 }],
    ['--wscale 0 --mss 5', '=', { protocol: 6 }],
    ['--sack-perm --mss 1460', '=', { family: 'ipv6', protocol: 6 }],
    ['--wscale 255', '=', { protocol: 6 }],
  ])('%s', (text, expected, context) => {
    expect(printed(synproxy, text, context)).toBe(expected === '=' ? text : expected);
  });
});
