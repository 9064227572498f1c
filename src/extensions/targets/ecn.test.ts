import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { ecn } from './ecn.ts';

describe('ECN', () => {
  it.each<PrintCase>([
    ['--ecn-tcp-remove', '=', { table: 'mangle', protocol: 6 }],
    ['--ecn-tcp-remove', 'refused', { table: 'mangle' }],
    ['--ecn-ip-ect 1', '=', { table: 'mangle' }],
    ['--ecn-ip-ect 4', 'refused', { table: 'mangle' }],
    ['--ecn-tcp-cwr 1', 'refused', { table: 'mangle' }],
    ['--ecn-tcp-cwr 1', '=', { table: 'mangle', protocol: 6 }],
    ['--ecn-tcp-ece 0 --ecn-tcp-cwr 1', '=', { table: 'mangle', protocol: 6 }],
    ['--ecn-tcp-ece 2', 'refused', { table: 'mangle', protocol: 6 }],
    [
      '--ecn-tcp-remove --ecn-ip-ect 1',
      '--ecn-tcp-ece 0 --ecn-tcp-cwr 0 --ecn-ip-ect 1',
      { table: 'mangle', protocol: 6 },
    ],
    ['--ecn-tcp-remove --ecn-tcp-cwr 1', 'refused', { table: 'mangle', protocol: 6 }],
    ['! --ecn-tcp-remove', 'refused', { table: 'mangle', protocol: 6 }],
  ])('%s', (text, expected, context) => {
    expect(printed(ecn, text, context)).toBe(expected === '=' ? text : expected);
  });
});
