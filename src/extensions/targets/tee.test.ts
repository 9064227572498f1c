import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { tee } from './tee.ts';

describe('TEE', () => {
  it.each<PrintCase>([['--gateway 1.2.3.4/24', 'refused']])('%s', (text, expected, context) => {
    expect(printed(tee, text, context)).toBe(expected === '=' ? text : expected);
  });
});
