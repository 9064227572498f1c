import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
import { physdev } from './physdev.ts';

describe('physdev', () => {
  it.each<PrintCase>([
    ['--physdev-in eth0', '='],
    ['--physdev-in eth+ ! --physdev-out eth1', '='],
    ['--physdev-out eth1', '='],
    ['--physdev-in eth1', '='],
    ['--physdev-is-in', '='],
    ['--physdev-out eth1 --physdev-is-bridged', '='],
    ['--physdev-is-in --physdev-is-out --physdev-is-bridged', '='],
    ['--physdev-is-bridged --physdev-is-in ! --physdev-in x', '--physdev-is-in ! --physdev-in x --physdev-is-bridged'],
    ['', 'refused'],
    ['--physdev-in 0123456789012345', 'refused'],
    ['--physdev-in 012345678901234', '='],
    ['--physdev-in +', '='],
    ['! --physdev-in +', '='],
    ['--physdev-out x --physdev-is-bridged', '=', { table: 'mangle' }],
    ['--physdev-out x', '=', { table: 'mangle' }],
  ])('%s', (text, expected, context) => {
    expect(printed(physdev, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('conditions', () => {
  it('--physdev-is-bridged', () => {
    expect(lowers(physdev, '--physdev-is-bridged')).toMatchInlineSnapshot(`
      [
        "require (bridge.present = 1 and bridge.hasOut = 1)",
      ]
    `);
  });
  it('! --physdev-in port0', () => {
    expect(lowers(physdev, '! --physdev-in port0')).toMatchInlineSnapshot(`
      [
        "require ((bridge.present = 1 and (bridge.hasIn = 0 or bridge.inName & 0xffffffffffff00000000000000000000 = 0-0x706f72742fff00000000000000000000|0x706f7274300100000000000000000000-0xffffffffffff00000000000000000000)) or bridge.present = 0)",
      ]
    `);
  });
});
