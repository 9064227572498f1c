import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { dnpt, snpt } from './npt.ts';

describe('DNPT', () => {
  it.each<PrintCase>([['--src-pfx fd00::/48 --dst-pfx 2001:db8::/48', '=', { family: 'ipv6', table: 'mangle' }]])(
    '%s',
    (text, expected, context) => {
      expect(printed(dnpt, text, context)).toBe(expected === '=' ? text : expected);
    },
  );
});

describe('SNPT', () => {
  it.each<PrintCase>([
    ['--src-pfx fd00::/48 --dst-pfx 2001:db8::/48', '=', { family: 'ipv6', table: 'mangle' }],
    ['--src-pfx fd00::1/48 --dst-pfx 2001:db8::/48', 'refused', { family: 'ipv6', table: 'mangle' }],
    ['--src-pfx fd00:: --dst-pfx 2001:db8::', 'refused', { family: 'ipv6', table: 'mangle' }],
    ['--src-pfx fd00::/65 --dst-pfx 2001:db8::/48', 'refused', { family: 'ipv6', table: 'mangle' }],
    ['--src-pfx fd00::/64 --dst-pfx 2001:db8::/48', '=', { family: 'ipv6', table: 'mangle' }],
    ['--src-pfx fd00::/64', 'refused', { family: 'ipv6', table: 'mangle' }],
    [
      '--src-pfx fd00::/ffff:: --dst-pfx 1::/16',
      '--src-pfx fd00::/16 --dst-pfx 1::/16',
      { family: 'ipv6', table: 'mangle' },
    ],
    ['--src-pfx fd00::/0 --dst-pfx 1::/0', 'refused', { family: 'ipv6', table: 'mangle' }],
  ])('%s', (text, expected, context) => {
    expect(printed(snpt, text, context)).toBe(expected === '=' ? text : expected);
  });
});
