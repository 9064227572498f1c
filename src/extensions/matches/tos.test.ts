import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { tos } from './tos.ts';

describe('tos', () => {
  it.each<PrintCase>([['--tos min', 'refused']])('%s', (text, expected, context) => {
    expect(printed(tos, text, context)).toBe(expected === '=' ? text : expected);
  });
});
