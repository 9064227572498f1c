import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { connlabel } from './connlabel.ts';

describe('connlabel', () => {
  it.each<PrintCase>([
    ['--label 5', '--label "5"'],
    ['--label 127', '--label "127"'],
    ['--label 128', 'refused'],
    ['--label 0x10', '--label "16"'],
    ['--label abc', 'refused'],
    ['! --set --label 5', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(connlabel, text, context)).toBe(expected === '=' ? text : expected);
  });
});
