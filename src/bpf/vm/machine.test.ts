import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { encodeInstructions } from '../instruction.ts';
import type { MapSpec } from '../program.ts';
import { assembleText } from '../text-assembler.ts';
import { HELPERS } from './helpers.ts';
import { KFUNCS } from './kfuncs.ts';
import { linkProgram, type VmProgram } from './link.ts';
import { createMachine, type Machine, runProgram } from './machine.ts';
import { createVmMap, hashKeys, readElement, updateElement, type VmMap } from './maps.ts';
import { mapRegion, VmFault } from './memory.ts';
import { drainRing } from './ringbuf.ts';

let machine: Machine;
let maps: Map<string, VmMap>;
let jiffies: bigint;

beforeEach(() => {
  jiffies = 1000n;
  machine = createMachine({
    helpers: HELPERS,
    kfuncs: KFUNCS,
    environment: { jiffies: () => jiffies, nanoseconds: () => 5n, random: () => 0xdeadbeef, cpu: 1 },
  });
  maps = new Map();
});

function link(text: string, name = 'test'): VmProgram {
  const result = assembleText(text);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return linkProgram(machine, { name, ...result.assembled }, maps);
}

const run = (text: string, args: readonly bigint[] = [], budget?: number): bigint =>
  runProgram(machine, link(text), args, budget);

function map(spec: Partial<MapSpec> & Pick<MapSpec, 'type'>): VmMap {
  const created = createVmMap(machine, { name: 'm', keySize: 4, valueSize: 8, maxEntries: 2, ...spec }, 2);
  maps.set('m', created);
  return created;
}

const u32 = (value: number): Uint8Array => new Uint8Array(new Uint32Array([value]).buffer);
const key = 'stw [%r10-4], KEY\nmov %r2, %r10\nadd %r2, -4\n';

describe('control flow', () => {
  it('gives every local call its own stack and keeps r6 to r9', () => {
    const text = `
      mov %r6, 7
      stdw [%r10-8], 1
      mov %r1, %r10
      call local f
      ldxdw %r0, [%r10-8]
      add %r0, %r6
      exit
      f: mov %r6, 100
      stdw [%r10-8], 50
      stdw [%r1-8], 2
      exit`;
    expect(run(text)).toBe(9n);
  });

  it('stops at the instruction budget and at eight frames', () => {
    expect(() => run('loop: ja loop\nexit', [], 1000)).toThrow('instruction budget used up');
    expect(() => run('f: call local f\nexit')).toThrow('more than 8 frames deep');
  });

  it('names what it does not know', () => {
    expect(() => run('call 9999\nexit')).toThrow('slot 0: no function 9999');
    expect(() => run('call kfunc bpf_nothing\nexit')).toThrow('unknown kernel function bpf_nothing');
    expect(() => run('lddw %r1, map nowhere\nexit')).toThrow('no map "nowhere"');
    expect(() => run('mov %r0, 1')).toThrow('ran off the program');
    expect(() => run('mov %r10, 1\nexit')).toThrow('writes the frame pointer');
  });

  it('runs bpf_loop callbacks until one says stop', () => {
    const text = `
      stdw [%r10-8], 0
      mov %r1, LIMIT
      lddw %r2, func body
      mov %r3, %r10
      add %r3, -8
      mov %r4, 0
      mov %r9, 77
      call 181
      lsh %r0, 32
      ldxdw %r1, [%r10-8]
      or %r0, %r1
      jne %r9, 77, fail
      exit
      fail: lddw %r0, 0xffffffffffffffff
      exit
      body: ldxdw %r3, [%r2]
      add %r3, %r1
      stxdw [%r2], %r3
      mov %r9, 0
      mov %r0, 0
      jlt %r1, 5, exit
      mov %r0, 1
      exit`;
    expect(run(text.replace('LIMIT', '4'))).toBe((4n << 32n) | 6n);
    expect(run(text.replace('LIMIT', '100'))).toBe((6n << 32n) | 15n);
  });
});

it('ends every program with a result or a VmFault', () => {
  const insn = fc.record({
    opcode: fc.oneof(fc.nat(255), fc.constantFrom(0x18, 0x79, 0x7b, 0xdb, 0xc3, 0x85, 0x95, 0xbf, 0xd4)),
    dst: fc.nat(11),
    src: fc.nat(11),
    offset: fc.integer({ min: -16, max: 16 }),
    imm: fc.oneof(fc.nat(250), fc.integer({ min: -0x80000000, max: 0x7fffffff })),
  });
  fc.assert(
    fc.property(fc.array(insn, { maxLength: 30 }), (insns) => {
      const program = linkProgram(machine, { name: 'random', insns: encodeInstructions(insns), relocations: [] }, maps);
      machine.heldLock = undefined;
      try {
        runProgram(machine, program, [], 500);
      } catch (error) {
        if (!(error instanceof VmFault)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

describe('memory', () => {
  it('bounds loads and stores', () => {
    expect(() => run('ldxdw %r0, [%r10-4]\nexit')).toThrow('past the ends of stack of frame 0');
    expect(() => run('stxw [%r10-513], %r0\nexit')).toThrow('store of 4 bytes');
    expect(() => run('ldxw %r0, [%r1]\nexit', [0n])).toThrow('load of 4 bytes at 0x0, where nothing is');
    const rom = mapRegion(machine.memory, 'rom', new Uint8Array(8), { writable: false, strict: true });
    expect(() => run('stw [%r1], 1\nexit', [rom.base])).toThrow('rom, which is read-only');
    expect(() => run('lock add [%r1+4], %r1\nexit', [rom.base])).toThrow('atomic access of 8 bytes');
  });

  it('reads zero where a fault-tolerant load would', () => {
    const object = mapRegion(machine.memory, 'object', new Uint8Array(8).fill(255), { writable: false, strict: false });
    expect(run('ldxdw %r0, [%r1]\nexit', [object.base])).toBe(2n ** 64n - 1n);
    expect(run('mov %r0, 1\nldxdw %r0, [%r1+1]\nexit', [object.base])).toBe(0n);
    const tolerant = createMachine({ ...machine, unmapped: 'zero' });
    expect(runProgram(tolerant, link('mov %r0, 1\nldxsw %r0, [%r1]\nexit'), [0n])).toBe(0n);
  });

  it('reads kernel memory or zeroes', () => {
    const text =
      'stdw [%r10-8], -1\nmov %r3, %r1\nmov %r1, %r10\nadd %r1, -8\nmov %r2, 8\ncall 113\nldxdw %r1, [%r10-8]\nadd %r0, %r1\nexit';
    const object = mapRegion(machine.memory, 'object', new Uint8Array(8).fill(1), { writable: false, strict: false });
    expect(run(text, [object.base])).toBe(0x0101010101010101n);
    expect(run(text, [8n])).toBe(2n ** 64n - 14n);
  });

  it('gives atomics their old values', () => {
    const text = (op: string) =>
      `lddw %r1, 0x1111111180000001\nstxdw [%r10-8], %r1\nlddw %r1, 0x0f0f0f0f80000000\n${op}\nldxdw %r0, [%r10-8]\nexit`;
    expect(run(text('lock add [%r10-8], %r1'))).toBe(0x2020202100000001n);
    expect(run(text('lock add32 [%r10-8], %r1'))).toBe(0x1111111100000001n);
    expect(run(text('lock xchg32 [%r10-8], %r1\nstxdw [%r10-8], %r1'))).toBe(0x80000001n);
    expect(() => run('lock add32 [%r10-6], %r1\nexit')).toThrow('not aligned');
  });
});

describe('maps', () => {
  it('of type array: lookup, update, direct values', () => {
    const array = map({ type: 'array', initial: new Uint8Array(16).fill(3) });
    const lookup = (k: string) =>
      `${key.replace('KEY', k)}lddw %r1, map m\ncall 1\njeq %r0, 0, exit\nldxdw %r0, [%r0]\nexit`;
    expect(run(lookup('1'))).toBe(0x0303030303030303n);
    expect(run(lookup('2'))).toBe(0n);
    expect(run('lddw %r1, value m+8\nldxb %r0, [%r1]\nexit')).toBe(3n);
    expect(() => run('lddw %r1, value m+8\nldxdw %r0, [%r1+8]\nexit')).toThrow('past the ends of values of map m');
    expect(updateElement(array, u32(1), u32(1), 1n)).toBe(-17);
    expect(updateElement(array, u32(2), u32(1), 0n)).toBe(-7);
  });

  it('of type percpu_array: the run of its CPU', () => {
    const array = map({ type: 'percpu_array' });
    run(`${key.replace('KEY', '0')}lddw %r1, map m\ncall 1\nstdw [%r0], 9\nmov %r0, 0\nexit`);
    expect(readElement(array, u32(0), 0)?.[0]).toBe(0);
    expect(readElement(array, u32(0), 1)?.[0]).toBe(9);
  });

  it('of type hash: update flags, delete, full', () => {
    const hash = map({ type: 'hash' });
    expect(updateElement(hash, u32(5), new Uint8Array(8), 2n)).toBe(-2);
    const update = `stdw [%r10-16], 42\n${key.replace('KEY', '5')}mov %r3, %r10\nadd %r3, -16\nmov %r4, 1\nlddw %r1, map m\ncall 2\nexit`;
    expect(run(update)).toBe(0n);
    expect(BigInt.asIntN(64, run(update))).toBe(-17n);
    expect(readElement(hash, u32(5))?.[0]).toBe(42);
    expect(updateElement(hash, u32(6), new Uint8Array(8), 0n)).toBe(0);
    expect(updateElement(hash, u32(7), new Uint8Array(8), 0n)).toBe(-7);
    expect(hashKeys(hash)).toEqual([u32(5), u32(6)]);
    const remove = `${key.replace('KEY', '5')}lddw %r1, map m\ncall 3\nexit`;
    expect(run(remove)).toBe(0n);
    expect(BigInt.asIntN(64, run(remove))).toBe(-2n);
  });

  it('of type lru_hash: the oldest goes', () => {
    const lru = map({ type: 'lru_hash' });
    for (const k of [1, 2]) updateElement(lru, u32(k), new Uint8Array(8), 0n);
    readElement(lru, u32(1));
    updateElement(lru, u32(3), new Uint8Array(8), 0n);
    expect(hashKeys(lru)).toEqual([u32(1), u32(3)]);
  });

  it('of type prog_array: tail calls, empty slots, at most 33', () => {
    const programs = map({ type: 'prog_array' });
    if (programs.kind !== 'prog_array') throw new Error('kind');
    const call = 'lddw %r2, map m\nmov %r3, 1\ncall 12\nmov %r0, 1\nexit';
    expect(run(call)).toBe(1n);
    programs.programs[1] = link('mov %r0, %r1\nadd %r0, 100\nexit', 'target');
    expect(run(call, [5n])).toBe(105n);
    programs.programs[1] = link(
      `mov %r6, %r1\nadd %r6, 1\nmov %r1, %r6\n${call.replace('mov %r0, 1', 'mov %r0, %r6')}`,
    );
    expect(run(call, [0n])).toBe(33n);
  });

  it('of type ringbuf: reserve, submit, discard, output, full', () => {
    const ring = map({ type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: 64 });
    const reserve = (then: number, size = 8) =>
      `lddw %r1, map m\nmov %r2, ${size}\nmov %r3, 0\ncall 131\njeq %r0, 0, exit\nstdw [%r0], 7\nmov %r1, %r0\nmov %r2, 0\ncall ${then}\nmov %r0, 1\nexit`;
    expect(run(reserve(133))).toBe(1n);
    expect(run(reserve(132))).toBe(1n);
    expect(run(reserve(132, 64))).toBe(0n);
    const output =
      'stdw [%r10-8], 9\nlddw %r1, map m\nmov %r2, %r10\nadd %r2, -8\nmov %r3, 8\nmov %r4, 0\ncall 130\nexit';
    expect(run(output)).toBe(0n);
    expect(() => run(reserve(132).replace('[%r0], 7', '[%r0+1], 7'))).toThrow('store of 8 bytes');
    if (ring.kind !== 'ringbuf') throw new Error('kind');
    ring.reserved.clear();
    expect(drainRing(ring).map((record) => record[0])).toEqual([7, 9]);
    expect(drainRing(ring)).toEqual([]);
  });
});

describe('helpers and kfuncs', () => {
  it('answer from the environment', () => {
    expect(run('call 118\nexit')).toBe(1000n);
    expect(run('call 5\nexit')).toBe(5n);
    expect(run('call 7\nexit')).toBe(0xdeadbeefn);
    expect(run('call 8\nexit')).toBe(1n);
  });

  it('take a lock once', () => {
    map({ type: 'array' });
    const lock = 'lddw %r1, value m\ncall 93\n';
    expect(run(`${lock}lddw %r1, value m\ncall 94\nmov %r0, 1\nexit`)).toBe(1n);
    expect(() => run(`${lock}${lock}exit`)).toThrow('a lock is held already');
  });

  it('iterate over numbers', () => {
    const text = (start: number, end: number) => `
      mov %r6, 0
      mov %r1, %r10
      add %r1, -8
      mov %r2, ${start}
      mov %r3, ${end}
      call kfunc bpf_iter_num_new
      jne %r0, 0, exit
      loop: mov %r1, %r10
      add %r1, -8
      call kfunc bpf_iter_num_next
      jeq %r0, 0, done
      ldxsw %r1, [%r0]
      mul %r6, 10
      add %r6, %r1
      ja loop
      done: mov %r1, %r10
      add %r1, -8
      call kfunc bpf_iter_num_destroy
      mov %r0, %r6
      exit`;
    expect(run(text(1, 5))).toBe(1234n);
    expect(run(text(5, 5))).toBe(0n);
    expect(BigInt.asIntN(64, run(text(6, 5)))).toBe(-22n);
    expect(BigInt.asIntN(64, run(text(-1, 1 << 23)))).toBe(-7n);
  });

  it('read packets through dynptrs, linear or not', () => {
    const bytes = Uint8Array.from({ length: 32 }, (_, i) => i);
    const linear = mapRegion(machine.memory, 'linear', bytes.slice(0, 16), { writable: false, strict: false });
    machine.packets.set(0x100n, { bytes, linear: linear.base, linearLength: 16 });
    const open = 'mov %r3, %r10\nadd %r3, -16\nmov %r2, 0\ncall kfunc bpf_dynptr_from_skb\n';
    const slice = (offset: number, buffer: string) =>
      `${open}mov %r1, %r10\nadd %r1, -16\nmov %r2, ${offset}\n${buffer}\nmov %r4, 4\ncall kfunc bpf_dynptr_slice\njeq %r0, 0, exit\nldxw %r0, [%r0]\nexit`;
    const onStack = 'mov %r3, %r10\nadd %r3, -24';
    expect(run(slice(12, onStack), [0x100n])).toBe(0x0f0e0d0cn);
    expect(run(slice(12, 'mov %r3, 0'), [0x100n])).toBe(0x0f0e0d0cn);
    expect(run(slice(13, onStack), [0x100n])).toBe(0x100f0e0dn);
    expect(run(slice(13, 'mov %r3, 0'), [0x100n])).toBe(0n);
    expect(run(slice(29, onStack), [0x100n])).toBe(0n);
    const read = (offset: number) =>
      `${open}mov %r1, %r10\nadd %r1, -24\nmov %r2, 4\nmov %r3, %r10\nadd %r3, -16\nmov %r4, ${offset}\nmov %r5, 0\ncall 201\njne %r0, 0, exit\nldxw %r0, [%r10-24]\nexit`;
    expect(run(read(28), [0x100n])).toBe(0x1f1e1d1cn);
    expect(BigInt.asIntN(64, run(read(29), [0x100n]))).toBe(-7n);
  });
});
