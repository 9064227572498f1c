import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
import { devgroup } from './devgroup.ts';

describe('devgroup', () => {
  it.each<PrintCase>([
    ['--src-group 5', '--src-group 0x5'],
    ['--src-group 0x5/0xff', '='],
    ['! --src-group default', '='],
    ['--dst-group 5', '--dst-group 0x5'],
    ['--dst-group 5 --src-group 6', '--src-group 0x6 --dst-group 0x5'],
    ['--src-group nosuch', 'refused'],
    ['--src-group 0', '--src-group default'],
    ['--src-group 4294967295', '--src-group 0xffffffff'],
    ['--src-group 4294967296', 'refused'],
    ['--src-group 1/0xffffffff', '--src-group 0x1'],
    ['', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(devgroup, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('conditions', () => {
  it('--src-group 5/0x3', () => {
    expect(lowers(devgroup, '--src-group 5/0x3')).toMatchInlineSnapshot(`
      [
        "require meta.iifgroup & 0x3 = 1",
      ]
    `);
  });
});
