import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { devgroup } from './devgroup.ts';

describe('devgroup', () => {
  it.each<PrintCase>([['', 'refused']])('%s', (text, expected, context) => {
    expect(printed(devgroup, text, context)).toBe(expected === '=' ? text : expected);
  });
});
