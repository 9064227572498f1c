import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { ipvs } from './ipvs.ts';

describe('ipvs', () => {
  it.each<PrintCase>([['', 'refused']])('%s', (text, expected, context) => {
    expect(printed(ipvs, text, context)).toBe(expected === '=' ? text : expected);
  });
});
