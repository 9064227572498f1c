/** Random programs without loops: the virtual machine computes what the kernel computes. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { assembleText } from '../../src/bpf/text-assembler.ts';
import { HELPERS } from '../../src/bpf/vm/helpers.ts';
import { KFUNCS } from '../../src/bpf/vm/kfuncs.ts';
import { linkProgram } from '../../src/bpf/vm/link.ts';
import { createMachine, runProgram } from '../../src/bpf/vm/machine.ts';
import { loadProgram } from '../../src/kernel/program.ts';
import { testRun } from '../../src/kernel/test-run.ts';
import { suite } from '../support/suite.ts';

const register = fc.nat(9).map((r) => `%r${r}`);
const imm = fc.oneof(fc.constantFrom(-1, 1, 2, 0x7fffffff, -0x80000000), fc.integer({ min: -0x80000000 }));
const slot = fc.integer({ min: 1, max: 4 }).map((n) => `[%r10-${8 * n}]`);
const suffix = fc.constantFrom('', '32');
const line = (...parts: readonly (fc.Arbitrary<string> | string)[]): fc.Arbitrary<string> =>
  fc.tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part))).map((all) => all.join(''));

const plain = fc.constantFrom('add', 'sub', 'mul', 'or', 'and', 'xor', 'mov');
const division = fc.constantFrom('div', 'mod', 'sdiv', 'smod');
const shift = fc.constantFrom('lsh', 'rsh', 'arsh');
const jump = fc.constantFrom('jeq', 'jne', 'jgt', 'jge', 'jlt', 'jle', 'jset', 'jsgt', 'jsge', 'jslt', 'jsle');
const unary = fc.constantFrom(
  ...['neg', 'neg32', 'le16', 'le32', 'le64', 'be16', 'be32', 'be64', 'bswap16', 'bswap32', 'bswap64'],
);
const extension = fc.constantFrom('movsx832', 'movsx1632', 'movsx864', 'movsx1664', 'movsx3264');
const atomic = fc.constantFrom(
  ...['add', 'or', 'and', 'xor', 'fetch add', 'fetch or', 'fetch and', 'fetch xor', 'xchg', 'cmpxchg'],
);
const load = fc.constantFrom('ldxb', 'ldxh', 'ldxw', 'ldxdw', 'ldxsb', 'ldxsh', 'ldxsw');
const store = fc.constantFrom('stxb', 'stxh', 'stxw', 'stxdw');

const instruction = fc.oneof(
  { weight: 4, arbitrary: line(plain, suffix, ' ', register, ', ', fc.oneof(register, imm.map(String))) },
  { weight: 2, arbitrary: line(division, suffix, ' ', register, ', ', register) },
  // The verifier refuses a division by the immediate 0.
  { weight: 1, arbitrary: line(division, suffix, ' ', register, ', ', imm.filter((n) => n !== 0).map(String)) },
  { weight: 2, arbitrary: line(shift, suffix, ' ', register, ', ', fc.oneof(register, fc.nat(31).map(String))) },
  { weight: 1, arbitrary: line(shift, ' ', register, ', ', fc.nat(63).map(String)) },
  { weight: 2, arbitrary: line(unary, ' ', register) },
  { weight: 1, arbitrary: line(extension, ' ', register, ', ', register) },
  { weight: 2, arbitrary: line('lock ', atomic, suffix, ' ', slot, ', ', register) },
  { weight: 1, arbitrary: line(load, ' ', register, ', ', slot) },
  { weight: 1, arbitrary: line(store, ' ', slot, ', ', register) },
  { weight: 1, arbitrary: line('stdw ', slot, ', ', imm.map(String)) },
  // Over the next instruction.
  { weight: 2, arbitrary: line(jump, suffix, ' ', register, ', ', fc.oneof(register, imm.map(String)), ', +1') },
);

const word = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(0n, 1n, 2n ** 63n, 2n ** 63n - 1n, 2n ** 64n - 1n, 2n ** 32n, 0x80000000n),
);

/** Fills registers and stack, runs the body, and mixes everything into r0. */
function textOf(words: readonly bigint[], body: readonly string[], upper: boolean): string {
  return [
    ...words.slice(10).map((value, n) => `lddw %r0, ${value}\nstxdw [%r10-${8 * (n + 1)}], %r0`),
    ...words.slice(0, 10).map((value, n) => `lddw %r${n}, ${value}`),
    ...body,
    // What the last jump may skip.
    'xor %r0, 5',
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `mul %r0, 31\nxor %r0, %r${n}`),
    ...[1, 2, 3, 4].map((n) => `mul %r0, 31\nldxdw %r1, [%r10-${8 * n}]\nxor %r0, %r1`),
    upper ? 'rsh %r0, 32' : '',
    'exit',
  ].join('\n');
}

function assembled(text: string) {
  const result = assembleText(text);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return { name: 'random', type: 'socket_filter', license: 'GPL', ...result.assembled } as const;
}

function runInKernel(text: string): number {
  const program = loadProgram(assembled(text));
  try {
    return testRun(program, { data: new Uint8Array(64) }).retval;
  } finally {
    program.close();
  }
}

function runInMachine(text: string): bigint {
  const environment = { jiffies: () => 0n, nanoseconds: () => 0n, random: () => 0, cpu: 0 };
  const machine = createMachine({ helpers: HELPERS, kfuncs: KFUNCS, environment });
  return runProgram(machine, linkProgram(machine, assembled(text), new Map()), [0n]);
}

suite('the virtual machine against the kernel', ['root', 'btf'], () => {
  it('random programs give the same result', () => {
    const words = fc.array(word, { minLength: 14, maxLength: 14 });
    fc.assert(
      fc.property(words, fc.array(instruction, { maxLength: 40 }), (values, body) => {
        const result = runInMachine(textOf(values, body, false));
        const lower = BigInt(runInKernel(textOf(values, body, false)));
        const upper = BigInt(runInKernel(textOf(values, body, true)));
        expect(result).toBe((upper << 32n) | lower);
      }),
      { numRuns: 400 },
    );
  });
});
