import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { rt } from './rt.ts';

describe('rt', () => {
  it.each<PrintCase>([['! --rt-segsleft :', '! --rt-segsleft 0:4294967295', { family: 'ipv6' }]])(
    '%s',
    (text, expected, context) => {
      expect(printed(rt, text, context)).toBe(expected === '=' ? text : expected);
    },
  );
});
