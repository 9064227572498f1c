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

  it('asks the kernel; when a packet gets there, where it takes the mark of the socket', () => {
    expect(asks(socket, '--nowildcard')).toEqual([{ kind: 'socket', transparent: false, nowildcard: true }]);
    expect(lowers(socket, '')).toEqual(['require asked.0 & 0x1 = 1']);
    expect(lowers(socket, '--transparent --restore-skmark')).toEqual(['staged 0']);
  });
});
