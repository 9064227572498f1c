import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
import { realm } from './realm.ts';

describe('realm', () => {
  it.each<PrintCase>([
    ['--realm 0x1/0xff', '='],
    ['--realm cosmos', '='],
    ['! --realm 5', '! --realm 0x5'],
    ['--realm 4294967295', '--realm 0xffffffff'],
    ['--realm 4294967296', 'refused'],
    ['--realm 1/0xffffffff', '--realm 0x1'],
    ['--realm 0', '--realm cosmos'],
  ])('%s', (text, expected, context) => {
    expect(printed(realm, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('conditions', () => {
  it('--realm 8/7', () => {
    expect(lowers(realm, '--realm 8/7')).toMatchInlineSnapshot(`
      [
        "require false",
      ]
    `);
  });
});
