import { expect, it } from 'vitest';
import { suite } from '../../test/support/suite.ts';
import { add, at, call, exit, lddw, ldx, mov, mul, rsh, stx } from '../bpf/assembly.ts';
import { buildProgram } from '../bpf/builder.ts';
import { parseBtf } from './btf.ts';
import { functionInfo, functionStarts } from './function-info.ts';
import { loadProgram } from './program.ts';
import { testRun } from './test-run.ts';

const BPF_LOOP = 181;

/** Adds 3 ten times through a callback, then 1 through a local call. */
const PROGRAM = buildProgram('callback', 'socket_filter', [
  mov.imm(0, 0),
  stx.dw(10, -8, 0),
  mov.imm(1, 10),
  lddw.func(2, 'body'),
  mov.reg(3, 10),
  add.imm(3, -8),
  mov.imm(4, 0),
  call.helper(BPF_LOOP),
  ldx.dw(1, 10, -8),
  call.local('increment'),
  exit(),
  at('increment'),
  mov.reg(0, 1),
  add.imm(0, 1),
  exit(),
  at('body'),
  ldx.dw(3, 2, 0),
  add.imm(3, 3),
  stx.dw(2, 0, 3),
  mov.imm(0, 0),
  exit(),
]);

it('finds the functions of a program', () => {
  expect(functionStarts(PROGRAM.insns)).toEqual([0, 12, 15]);
  expect(functionStarts(buildProgram('plain', 'socket_filter', [mov.imm(0, 0), exit()]).insns)).toBeUndefined();
});

it('names each of them in BTF', () => {
  const { btf, records } = functionInfo([0, 12, 15]);
  expect(['f0', 'f1', 'f2'].map((name) => parseBtf(btf).functionId(name))).toEqual([4, 5, 6]);
  expect([...new Uint32Array(records.buffer.slice(records.byteOffset, records.byteOffset + 24))]).toEqual([
    0, 4, 12, 5, 15, 6,
  ]);
});

/** Multiplies 2^33 by 3 in a function that is verified on its own. */
const GLOBAL = buildProgram(
  'global',
  'socket_filter',
  [
    lddw.imm(1, 1n << 33n),
    mov.imm(2, 3),
    call.local('times'),
    exit(),
    at('times'),
    mov.reg(0, 1),
    mul.reg(0, 2),
    rsh.imm(0, 33),
    exit(),
  ],
  new Map([['times', { args: 2 }]]),
);

it('tells global functions from static ones', () => {
  expect(GLOBAL.globals).toEqual([{ slot: 5, args: 2 }]);
  expect(functionStarts(GLOBAL.insns, GLOBAL.globals)).toEqual([0, 5]);
});

suite('programs with callbacks', ['root', 'btf'], () => {
  it('load and run', () => {
    const program = loadProgram(PROGRAM);
    expect(testRun(program, { data: new Uint8Array(14) }).retval).toBe(31);
    program.close();
  });

  it('may have global functions', () => {
    const program = loadProgram(GLOBAL);
    expect(testRun(program, { data: new Uint8Array(14) }).retval).toBe(3);
    program.close();
  });
});
