import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { tcpoptstrip } from './tcpoptstrip.ts';

describe('TCPOPTSTRIP', () => {
  it.each<PrintCase>([['--strip-options 5,,6', 'refused', { table: 'mangle', protocol: 6 }]])(
    '%s',
    (text, expected, context) => {
      expect(printed(tcpoptstrip, text, context)).toBe(expected === '=' ? text : expected);
    },
  );
});
