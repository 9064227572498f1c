import { describe, expect, it } from 'vitest';
import { asks, lowers, type PrintCase, printed } from '../case-runner.ts';
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

  it('asks the kernel, but takes no mark from it', () => {
    expect(asks(socket, '--nowildcard')).toEqual([{ kind: 'socket', transparent: false, nowildcard: true }]);
    expect(lowers(socket, '')).toEqual(['require asked.0 & 0x1 = 1']);
    expect(lowers(socket, '--transparent --restore-skmark')[0]).toMatch(/^cannot: --restore-skmark/);
  });
});
