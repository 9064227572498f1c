import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { tcpoptstrip } from './tcpoptstrip.ts';

describe('TCPOPTSTRIP', () => {
  it.each<PrintCase>([
    [
      '--strip-options mss,wscale,sack-permitted,sack,timestamp,md5',
      '--strip-options 2,3,4,5,8,19',
      { table: 'mangle', protocol: 6 },
    ],
    ['--strip-options 254,255,7', '--strip-options 7,254,255', { table: 'mangle', protocol: 6 }],
    ['--strip-options 256', 'refused', { table: 'mangle', protocol: 6 }],
    ['--strip-options 3,2,2', 'refused', { table: 'mangle', protocol: 6 }],
    ['--strip-options ""', 'refused', { table: 'mangle', protocol: 6 }],
    ['--strip-options 0x8', '--strip-options 8', { table: 'mangle', protocol: 6 }],
    ['--strip-options 010', '--strip-options 8', { table: 'mangle', protocol: 6 }],
    ['--strip-options 5,,6', 'refused', { table: 'mangle', protocol: 6 }],
  ])('%s', (text, expected, context) => {
    expect(printed(tcpoptstrip, text, context)).toBe(expected === '=' ? text : expected);
  });
});
