import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { ecn } from './ecn.ts';

describe('ecn', () => {
  it.each<PrintCase>([['! --ecn-ip-ect 1', '=']])('%s', (text, expected, context) => {
    expect(printed(ecn, text, context)).toBe(expected === '=' ? text : expected);
  });
});
