import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { sctp } from './sctp.ts';

describe('sctp', () => {
  it.each<PrintCase>([['--chunk-types any I_DATA:B', 'refused', { protocol: 132 }]])(
    '%s',
    (text, expected, context) => {
      expect(printed(sctp, text, context)).toBe(expected === '=' ? text : expected);
    },
  );
});
