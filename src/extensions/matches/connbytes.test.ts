import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
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
