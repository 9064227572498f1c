import { describe, expect, it } from 'vitest';
import { asks, lowers, type PrintCase, printed } from '../case-runner.ts';
import { bpf } from './bpf.ts';

describe('bpf', () => {
  it.each<PrintCase>([
    ['--bytecode "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0"', '='],
    ['--bytecode "4,48 0 0 9,21 0 1 6,6 0 0 1"', 'refused'],
    ['--bytecode "3,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0"', 'refused'],
    ['--bytecode "1,6 0 0 1,"', '--bytecode "1,6 0 0 1"'],
    ['--bytecode "1,6 0 0 4294967295"', '='],
    ['--bytecode "1,0x6 0 0 0x10"', 'refused'],
    ['--bytecode "1, 6  0  0 16"', '--bytecode "1,6 0 0 16"'],
    ['--bytecode 0,', 'refused'],
    ['--bytecode "1,48 0 0 9"', 'refused'],
    ['--bytecode ""', 'refused'],
    ['--bytecode "1,6 0 0 -1"', '--bytecode "1,6 0 0 4294967295"'],
    ['! --bytecode "1,6 0 0 1"', 'refused'],
    ['--bytecode "65,6 0 0 1"', 'refused'],
    ['', 'refused'],
    ['--bytecode "1,6 0 0 1" --object-pinned /x', 'refused'],
    ['--bytecode "2,0 0 0 5,6 0 0 1"', '='],
    ['--bytecode "2,96 0 0 5,6 0 0 1"', 'refused'],
    ['--bytecode "2,52 0 0 0,6 0 0 1"', 'refused'],
    ['--bytecode "2,5 0 0 5,6 0 0 1"', 'refused'],
    ['--bytecode "2,255 0 0 5,6 0 0 1"', 'refused'],
    ['--bytecode "2,21 5 0 5,6 0 0 1"', 'refused'],
    ['--bytecode "2,100 0 0 32,6 0 0 1"', 'refused'],
    ['--bytecode "2,32 0 0 4294963204,6 0 0 1"', '='],
    ['--bytecode "2,32 0 0 4294963200,6 0 0 1"', '='],
    ['--bytecode "2,2 0 0 3,6 0 0 1"', '='],
    ['--bytecode "1,6 0 0"', 'refused'],
    ['--bytecode "1,6 0 0 4294967296"', 'refused'],
    ['--object-pinned /sys/fs/bpf/x', '='],
  ])('%s', (text, expected, context) => {
    expect(printed(bpf, text, context)).toBe(expected === '=' ? text : expected);
  });

  it('runs what asks only for bytes of the packet', () => {
    const lowered = lowers(bpf, '--bytecode "2,48 0 0 9,6 0 0 1"');
    expect(lowered).toEqual(['require {"kind":"classic","program":[[48,0,0,9],[6,0,0,1]]}']);
    expect(asks(bpf, '--bytecode "2,48 0 0 9,6 0 0 1"')).toEqual([]);
  });

  it('asks the kernel, unless the program has maps', () => {
    const objects = {
      sets: new Map(),
      programs: new Map([
        ['/a', { maps: false }],
        ['/b', { maps: true }],
      ]),
    };
    expect(asks(bpf, '--bytecode "2,32 0 0 4294963204,6 0 0 1"')).toEqual([
      {
        kind: 'classic',
        instructions: [
          [32, 0, 0, 4294963204],
          [6, 0, 0, 1],
        ],
      },
    ]);
    expect(asks(bpf, '--object-pinned /a', { objects })).toEqual([{ kind: 'program', path: '/a' }]);
    expect(lowers(bpf, '--object-pinned /b', { objects })).toEqual(['staged 0']);
  });
});
