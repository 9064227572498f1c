import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { ecn } from './ecn.ts';

describe('ECN', () => {
  it.each<PrintCase>([['! --ecn-tcp-remove', 'refused', { table: 'mangle', protocol: 6 }]])(
    '%s',
    (text, expected, context) => {
      expect(printed(ecn, text, context)).toBe(expected === '=' ? text : expected);
    },
  );
});
