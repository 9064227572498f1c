import { expect, it } from 'vitest';
import { suite } from '../../test/support/suite.ts';
import { add, at, call, exit, lddw, ldx, mov, stx } from '../bpf/assembly.ts';
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
  expect(['f0', 'f1', 'f2'].map((name) => parseBtf(btf).functionId(name))).toEqual([3, 4, 5]);
  expect([...new Uint32Array(records.buffer.slice(records.byteOffset, records.byteOffset + 24))]).toEqual([
    0, 3, 12, 4, 15, 5,
  ]);
});

suite('programs with callbacks', ['root', 'btf'], () => {
  it('load and run', () => {
    const program = loadProgram(PROGRAM);
    expect(testRun(program, { data: new Uint8Array(14) }).retval).toBe(31);
    program.close();
  });
});
