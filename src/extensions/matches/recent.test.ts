import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { recent } from './recent.ts';

describe('recent', () => {
  it.each<PrintCase>([['--set --rdest --rsource', '--set --name DEFAULT --mask 255.255.255.255 --rsource']])(
    '%s',
    (text, expected, context) => {
      expect(printed(recent, text, context)).toBe(expected === '=' ? text : expected);
    },
  );
});
