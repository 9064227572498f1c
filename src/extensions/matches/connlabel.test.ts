import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
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

describe('conditions', () => {
  it('--label 65', () => {
    expect(lowers(connlabel, '--label 65')).toMatchInlineSnapshot(`
      [
        "require ct.labels.high & 0x2 = 2",
      ]
    `);
  });
  it('--label 1 --set', () => {
    expect(lowers(connlabel, '--label 1 --set')).toMatchInlineSnapshot(`
      [
        "staged 0",
      ]
    `);
  });
});
