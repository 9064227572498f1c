import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
import { connbytes } from './connbytes.ts';

describe('connbytes', () => {
  it.each<PrintCase>([
    [
      '--connbytes 5:18446744073709551615 --connbytes-mode packets --connbytes-dir original',
      '--connbytes 5 --connbytes-mode packets --connbytes-dir original',
    ],
    ['! --connbytes 5 --connbytes-mode packets --connbytes-dir original', '='],
    ['! --connbytes 5:10 --connbytes-mode packets --connbytes-dir original', '='],
    ['! --connbytes 0:10 --connbytes-mode packets --connbytes-dir original', '='],
    [
      '! --connbytes 0:18446744073709551615 --connbytes-mode packets --connbytes-dir original',
      '! --connbytes 0 --connbytes-mode packets --connbytes-dir original',
    ],
    ['! --connbytes 0 --connbytes-mode packets --connbytes-dir original', '='],
    ['--connbytes 5: --connbytes-mode packets --connbytes-dir ORIGINAL', 'refused'],
    ['--connbytes 5: --connbytes-mode PACKETS --connbytes-dir original', 'refused'],
    [
      '--connbytes "" --connbytes-mode packets --connbytes-dir original',
      '--connbytes 0 --connbytes-mode packets --connbytes-dir original',
    ],
    [
      '--connbytes :5 --connbytes-mode packets --connbytes-dir original',
      '--connbytes 0:5 --connbytes-mode packets --connbytes-dir original',
    ],
    [
      '--connbytes 0x10:0x20 --connbytes-mode packets --connbytes-dir original',
      '--connbytes 16:32 --connbytes-mode packets --connbytes-dir original',
    ],
  ])('%s', (text, expected, context) => {
    expect(printed(connbytes, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('conditions', () => {
  it('--connbytes 10:20 --connbytes-mode avgpkt --connbytes-dir both', () => {
    expect(lowers(connbytes, '--connbytes 10:20 --connbytes-mode avgpkt --connbytes-dir both')).toMatchInlineSnapshot(`
      [
        "require ct.accounted = 1",
        "require ct.average.both = 10-20",
      ]
    `);
  });
  it('! --connbytes 7:7 --connbytes-mode bytes --connbytes-dir reply', () => {
    expect(lowers(connbytes, '! --connbytes 7:7 --connbytes-mode bytes --connbytes-dir reply')).toMatchInlineSnapshot(`
      [
        "require ct.accounted = 1",
        "require ct.bytes.reply = 7",
      ]
    `);
  });
});
