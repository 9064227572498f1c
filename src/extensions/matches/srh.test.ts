import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { srh } from './srh.ts';

describe('srh', () => {
  it.each<PrintCase>([
    [
      '--srh-lsid c::1/64 --srh-tag 5 --srh-next-hdr 6',
      '--srh-next-hdr 6 --srh-tag 5 --srh-lsid c::1/64',
      { family: 'ipv6' },
    ],
  ])('%s', (text, expected, context) => {
    expect(printed(srh, text, context)).toBe(expected === '=' ? text : expected);
  });
});
