import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { suite } from '../../test/support/suite.ts';
import { call, exit, lddw, ldx, mov, movStructId } from '../bpf/assembly.ts';
import { buildProgram } from '../bpf/builder.ts';
import type { Code } from '../bpf/code.ts';
import type { Btf } from './btf.ts';
import { SyscallError } from './errno.ts';
import { type BpfMap, createMap } from './map.ts';
import { loadProgram, programInfo, relocate, setProgramSlot } from './program.ts';
import { testRun } from './test-run.ts';
import { VerifierError } from './verifier-error.ts';

const EMPTY = { data: new Uint8Array(14) };
const socketFilter = (name: string, code: Code) => buildProgram(name, 'socket_filter', code);

describe('relocations', () => {
  const btf: Btf = {
    structId: (name) => (name === 'iphdr' ? 77 : undefined),
    functionId: (name) => (name === 'bpf_rdonly_cast' ? 88 : undefined),
    enumerator: () => undefined,
    structSize: () => undefined,
    member: () => undefined,
  };
  const maps = new Map([['values', { fd: 55 } as BpfMap]]);
  const words = (code: Code): number[] => {
    const spec = socketFilter('test', code);
    const before = spec.insns.slice();
    const after = relocate(spec, maps, btf);
    expect(spec.insns, 'the spec stays as it is').toEqual(before);
    return [...new Uint32Array(after.buffer)];
  };

  it('fill in maps, values, functions and structs', () => {
    expect(words([lddw.map(3, 'values')])).toEqual([0x1318, 55, 0, 0]);
    expect(words([lddw.mapValue(4, 'values', 40)])).toEqual([0x2418, 55, 0, 40]);
    expect(words([call.kfunc('bpf_rdonly_cast')])).toEqual([0x2085, 88]);
    expect(words([movStructId(2, 'iphdr')])).toEqual([0x02b7, 77]);
  });

  it('name what is missing', () => {
    expect(() => words([lddw.map(1, 'other')])).toThrow('program test refers to map other, which was not given');
    expect(() => words([call.kfunc('bpf_magic')])).toThrow('needs kernel function bpf_magic');
    expect(() => words([movStructId(1, 'magic')])).toThrow('needs the layout of struct magic');
  });
});

suite('programs', ['root', 'btf'], () => {
  it('load, run and tell about themselves', () => {
    const program = loadProgram(socketFilter('bfk_seven', [mov.imm(0, 7), exit()]));
    expect(program).toMatchObject({ name: 'bfk_seven', type: 'socket_filter' });
    expect(testRun(program, EMPTY).retval).toBe(7);
    expect(programInfo(program)).toMatchObject({ id: program.id, translatedBytes: 16, verifiedInstructions: 2 });
    program.close();
    program.close();
  });

  it('read map values directly', () => {
    const initial = Uint8Array.of(0, 0, 0, 0, 42, 0, 0, 0);
    const map = createMap({ name: 'values', type: 'array', keySize: 4, valueSize: 8, maxEntries: 1, initial });
    const code = [lddw.mapValue(1, 'values', 4), ldx.w(0, 1, 0), exit()];
    const program = loadProgram(socketFilter('bfk_value', code), new Map([['values', map]]));
    expect(testRun(program, EMPTY).retval).toBe(42);
    program.close();
    map.close();
  });

  it('call each other through a PROG_ARRAY', () => {
    const array = createMap({ name: 'array', type: 'prog_array', keySize: 4, valueSize: 4, maxEntries: 4 });
    const target = loadProgram(socketFilter('bfk_target', [mov.imm(0, 5), exit()]));
    const code = [lddw.map(2, 'array'), mov.imm(3, 2), call.helper(12), mov.imm(0, 1), exit()];
    const caller = loadProgram(socketFilter('bfk_caller', code), new Map([['array', array]]));
    expect(testRun(caller, EMPTY).retval).toBe(1);
    setProgramSlot(array, 2, target);
    expect(testRun(caller, EMPTY).retval).toBe(5);
    for (const item of [array, target, caller]) item.close();
  });

  it('that the verifier refuses are explained', () => {
    const spec = buildProgram('bfk_seven', 'netfilter', [mov.imm(0, 7), exit()]);
    expect(() => loadProgram(spec)).toThrow(VerifierError);
    expect(() => loadProgram(spec)).toThrow(/should have been in \[0, 1\] \(\d lines omitted\)$/);
  });

  it('that are not programs at all are a system error', () => {
    const spec = { ...socketFilter('bfk_none', [exit()]), insns: new Uint8Array(0) };
    expect(() => loadProgram(spec)).toThrow(SyscallError);
  });

  it('leave no descriptor behind', () => {
    const open = (): number => readdirSync('/proc/self/fd').length;
    const spec = socketFilter('bfk_twice', [mov.imm(0, 0), exit()]);
    loadProgram(spec).close();
    const before = open();
    for (let i = 0; i < 20; i++) loadProgram(spec).close();
    expect(open()).toBe(before);
  });
});
