import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
import { cgroup } from './cgroup.ts';

describe('cgroup', () => {
  it.each<PrintCase>([
    ['--cgroup 0x10001', '--cgroup 65537', { table: 'mangle' }],
    ['--cgroup 4294967296', 'refused', { table: 'mangle' }],
    ['--path /', '--path "/"', { table: 'mangle' }],
    ['--path ""', '=', { table: 'mangle' }],
    ['--path //', '--path "//"', { table: 'mangle' }],
    ['--path ""', '=', { family: 'ipv6' }],
  ])('%s', (text, expected, context) => {
    expect(printed(cgroup, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('conditions', () => {
  it('! --cgroup 3', () => {
    expect(lowers(cgroup, '! --cgroup 3')).toMatchInlineSnapshot(`
      [
        "require socket.full = 1",
        "require socket.classid = 0-2|4-0xffffffff",
      ]
    `);
  });
});
