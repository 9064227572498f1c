import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { set } from './set.ts';

describe('SET', () => {
  it.each<PrintCase>([
    ['--add-set foo src', '='],
    ['--add-set foo src --timeout 100 --exist', '--add-set foo src --exist --timeout 100'],
    ['--add-set foo src --exist', '='],
    ['--del-set foo src', '='],
    ['--add-set foo src --del-set bar src,dst', '='],
    ['--del-set bar src,dst --add-set foo src', '--add-set foo src --del-set bar src,dst'],
    ['--del-set foo src --exist', 'refused'],
    ['--del-set foo src --timeout 6', 'refused'],
    ['--add-set foo src --add-set bar src,dst', 'refused'],
    ['', 'refused'],
    ['--add-set foo', 'refused'],
    ['--add-set foo src --timeout 0', '='],
    ['--add-set foo src --timeout 2147483', '='],
    ['--add-set foo src --timeout 4294967295', 'refused'],
    ['--add-set foo src --timeout 4294967294', '='],
    ['--add-set foo src --timeout 4294967296', 'refused'],
    ['--map-set sk src --map-mark', '=', { table: 'mangle' }],
    ['--map-set sk src --map-mark --map-prio --map-queue', '=', { table: 'mangle' }],
    ['--map-set sk src', 'refused', { table: 'mangle' }],
    ['--map-set sk src --map-queue', '=', { table: 'mangle' }],
    ['--map-set sk src --map-mark', 'refused'],
    ['--map-set sk src --map-prio', 'refused'],
    [
      '--map-set sk src --map-mark --add-set foo src',
      '--add-set foo src --map-set sk src --map-mark',
      { table: 'mangle' },
    ],
    ['--add-set foo src --map-mark', 'refused', { table: 'mangle' }],
    ['--exist', 'refused'],
    ['--add-set foo src,dst,src,dst,src,dst,src', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(set, text, context)).toBe(expected === '=' ? text : expected);
  });
});
