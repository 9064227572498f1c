import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { mh } from './mh.ts';

describe('mh', () => {
  it.each<PrintCase>([['! --mh-type :', '! --mh-type 0:255', { family: 'ipv6', protocol: 135 }]])(
    '%s',
    (text, expected, context) => {
      expect(printed(mh, text, context)).toBe(expected === '=' ? text : expected);
    },
  );
});
