import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { set } from './set.ts';

describe('SET', () => {
  it.each<PrintCase>([['--add-set foo src,dst,src,dst,src,dst,src', 'refused']])('%s', (text, expected, context) => {
    expect(printed(set, text, context)).toBe(expected === '=' ? text : expected);
  });
});
