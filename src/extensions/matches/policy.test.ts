import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
import { policy } from './policy.ts';

describe('policy', () => {
  it.each<PrintCase>([
    ['--dir in --pol ipsec', '='],
    ['--dir in --pol none', '='],
    ['--dir out --pol ipsec --proto esp', '='],
    ['--dir in --pol none --proto esp', '--dir in --pol none'],
    ['--dir in --pol none --strict', 'refused'],
    ['--pol none', 'refused'],
    ['--dir in', '--dir in --pol ipsec'],
    ['--dir in --pol ipsec --reqid 1 --next --reqid 2', 'refused'],
    ['--dir in --pol ipsec --strict --reqid 1 --next --reqid 2 --next', 'refused'],
    ['--dir in --pol ipsec --strict --reqid 1 --next --next --reqid 2', 'refused'],
    ['--dir in --pol ipsec --strict --reqid 1 --next --reqid 2 --next --reqid 3 --next --reqid 4', '='],
    [
      '--dir in --pol ipsec --strict --reqid 1 --next --reqid 2 --next --reqid 3 --next --reqid 4 --next --reqid 5',
      'refused',
    ],
    ['--dir in --pol ipsec --strict ! --reqid 1 ! --spi 0x10 ! --proto ah ! --mode transport', '='],
    ['--dir in --pol ipsec --strict ! --mode tunnel ! --tunnel-src 1.2.3.4 ! --tunnel-dst 10.0.0.1/8', 'refused'],
    ['--dir in --pol ipsec --mode tunnel --tunnel-src 1.2.3.4', '='],
    ['--dir in --pol ipsec --tunnel-src 1.2.3.4', 'refused'],
    ['--dir in --pol ipsec --mode transport --tunnel-src 1.2.3.4', 'refused'],
    ['--dir in --pol ipsec --proto tcp', 'refused'],
    ['--dir in --pol ipsec --proto 50', '--dir in --pol ipsec --proto esp'],
    ['--dir in --pol ipsec --mode beet', 'refused'],
    ['--dir in --pol ipsec --mode foo', 'refused'],
    [
      '--dir in --pol ipsec --reqid 4294967295 --spi 4294967295',
      '--dir in --pol ipsec --reqid 4294967295 --spi 0xffffffff',
    ],
    ['--dir in --pol ipsec --reqid 4294967296', 'refused'],
    ['--dir in --pol ipsec --reqid 0', '='],
    ['--dir in --pol ipsec --reqid 1 --reqid 2', 'refused'],
    ['--dir in --dir out --pol ipsec', 'refused'],
    ['--dir both --pol ipsec', 'refused'],
    ['--dir IN --pol ipsec', 'refused'],
    ['--strict --dir in --pol ipsec --proto esp', '--dir in --pol ipsec --strict --proto esp'],
    ['--pol ipsec --dir in --proto esp --reqid 5', '--dir in --pol ipsec --reqid 5 --proto esp'],
    ['--proto esp --pol ipsec --dir in', '--dir in --pol ipsec --proto esp'],
    ['! --strict --pol ipsec --dir in --proto esp', 'refused'],
    ['--dir in --pol ipsec --strict --mode tunnel --tunnel-src host', 'refused'],
    [
      '--dir in --pol ipsec --strict --mode tunnel --tunnel-src 1::/16 --tunnel-dst 2::5',
      '--dir in --pol ipsec --strict --mode tunnel --tunnel-dst 2::5 --tunnel-src 1::/16',
      { family: 'ipv6' },
    ],
    [
      '--dir in --pol ipsec --strict --reqid 1 --spi 5 --proto esp --mode tunnel --tunnel-src 1:: --tunnel-dst 2:: --next --mode transport --proto ah',
      '--dir in --pol ipsec --strict --reqid 1 --spi 0x5 --proto esp --mode tunnel --tunnel-dst 2:: --tunnel-src 1:: --next --proto ah --mode transport',
      { family: 'ipv6' },
    ],
    ['--dir in --pol none --reqid 1', '--dir in --pol none'],
    [
      '--dir in --pol ipsec --mode tunnel ! --tunnel-src 0.0.0.0/0 --tunnel-dst 10.0.0.1/0',
      '--dir in --pol ipsec --mode tunnel --tunnel-dst 10.0.0.1/0 ! --tunnel-src 0.0.0.0/0',
    ],
    ['--dir in --pol ipsec --mode tunnel --tunnel-src 10.0.0.1/24', '='],
    ['--dir in --pol ipsec --strict --next --reqid 1', 'refused'],
    ['--next --strict --reqid 1 --dir in', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(policy, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('conditions', () => {
  it('--dir in --pol none', () => {
    expect(lowers(policy, '--dir in --pol none')).toMatchInlineSnapshot(`
      [
        "require xfrm.in.present = 0",
      ]
    `);
  });
  it('--dir out --pol ipsec --strict --reqid 3 --next --spi 0x9', () => {
    expect(lowers(policy, '--dir out --pol ipsec --strict --reqid 3 --next --spi 0x9')).toMatchInlineSnapshot(`
      [
        "require (xfrm.out.depth = 2 and xfrm.out.0.reqid = 3 and xfrm.out.1.spi = 9)",
      ]
    `);
  });
  it('--dir in --pol ipsec --strict --reqid 3 --next --spi 0x9', () => {
    expect(lowers(policy, '--dir in --pol ipsec --strict --reqid 3 --next --spi 0x9')).toMatchInlineSnapshot(`
      [
        "require asked.0 & 0x1 = 1",
      ]
    `);
  });
});
