import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { connlabel } from './connlabel.ts';

describe('connlabel', () => {
  it.each<PrintCase>([['! --set --label 5', 'refused']])('%s', (text, expected, context) => {
    expect(printed(connlabel, text, context)).toBe(expected === '=' ? text : expected);
  });
});
