import { describe, expect, it } from 'vitest';
import { asks, lowers, type PrintCase, printed } from '../case-runner.ts';
import { osf } from './osf.ts';

describe('osf', () => {
  it.each<PrintCase>([
    ['--genre Linux', '=', { protocol: 6 }],
    ['! --genre Linux --ttl 1', '=', { protocol: 6 }],
    ['--ttl 1', 'refused', { protocol: 6 }],
    ['--genre 0123456789012345678901234567890', '=', { protocol: 6 }],
    ['--genre 01234567890123456789012345678901', '--genre 0123456789012345678901234567890', { protocol: 6 }],
    ['--genre 0123456789012345678901234567890123456789', '--genre 0123456789012345678901234567890', { protocol: 6 }],
    ['--genre Linux', '=', { table: 'mangle', protocol: 6 }],
    ['--genre Linux --log 3', 'refused', { protocol: 6 }],
  ])('%s', (text, expected, context) => {
    expect(printed(osf, text, context)).toBe(expected === '=' ? text : expected);
  });

  it('asks the kernel, but does not log through it', () => {
    expect(asks(osf, '! --genre Linux --ttl 1', { protocol: 6 })).toEqual([
      { kind: 'osf', genre: 'Linux', invert: true, ttl: 1 },
    ]);
    expect(lowers(osf, '--genre Linux', { protocol: 6 })).toEqual(['require asked.0 & 0x1 = 1']);
    expect(lowers(osf, '--genre Linux --log 0', { protocol: 6 })).toEqual(['staged 0']);
  });
});
