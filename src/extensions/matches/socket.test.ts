import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { socket } from './socket.ts';

describe('socket', () => {
  it.each<PrintCase>([
    ['', ''],
    ['--transparent', '=', { table: 'mangle' }],
    ['--transparent', '=', { table: 'raw' }],
    ['--restore-skmark --nowildcard --transparent', '--transparent --nowildcard --restore-skmark', { table: 'mangle' }],
  ])('%s', (text, expected, context) => {
    expect(printed(socket, text, context)).toBe(expected === '=' ? text : expected);
  });
});
