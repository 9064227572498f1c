import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { connbytes } from './connbytes.ts';

describe('connbytes', () => {
  it.each<PrintCase>([
    [
      '--connbytes 0x10:0x20 --connbytes-mode packets --connbytes-dir original',
      '--connbytes 16:32 --connbytes-mode packets --connbytes-dir original',
    ],
  ])('%s', (text, expected, context) => {
    expect(printed(connbytes, text, context)).toBe(expected === '=' ? text : expected);
  });
});
