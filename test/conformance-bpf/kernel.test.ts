/**
 * The public BPF conformance cases in the kernel (SOCKET_FILTER programs through BPF_PROG_TEST_RUN), one test per file: the
 * same result as in the virtual machine, or a refusal by the verifier for the reason stated here.
 */

import { expect, it } from 'vitest';
import type { ProgramSpec } from '../../src/bpf/program.ts';
import { assembleText } from '../../src/bpf/text-assembler.ts';
import { type BpfMap, createMap } from '../../src/kernel/map.ts';
import { loadProgram } from '../../src/kernel/program.ts';
import { testRun } from '../../src/kernel/test-run.ts';
import { suite } from '../support/suite.ts';
import { type ConformanceCase, readCases } from './cases.ts';

/** The instruction set masks shift counts; Linux wants immediate ones to be in range. */
const SHIFT = /invalid shift/;
const REFUSED: Readonly<Record<string, RegExp>> = {
  'arsh32-imm-high': SHIFT,
  'arsh64-imm-high': SHIFT,
  'arsh64-imm-neg': SHIFT,
  'lsh32-imm-neg': SHIFT,
  'lsh64-imm-high': SHIFT,
  'lsh64-imm-neg': SHIFT,
  'rsh32-imm-high': SHIFT,
  'rsh32-imm-neg': SHIFT,
  'rsh64-imm-neg': SHIFT,
  // A call through a register.
  callx: /unknown opcode 8d/,
};

/**
 * The case as a local function behind a few lines that give it its memory. TEST_RUN shows 32 bits of the result: `upper`
 * chooses which.
 */
function programOf(item: ConformanceCase, upper: boolean): ProgramSpec {
  const memory = item.memory.length === 0 ? 'mov %r1, 0' : 'lddw %r1, value mem';
  const lines = [
    memory,
    `mov %r2, ${item.memory.length}`,
    'call local case',
    upper ? 'rsh %r0, 32' : '',
    'exit',
    'case:',
  ];
  const result = assembleText(`${lines.join('\n')}\n${item.text}`);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  const { insns, relocations } = result.assembled;
  return { name: 'conformance', type: 'socket_filter', license: 'GPL', insns, relocations };
}

/** r0 of the case in the kernel, 64 bits from two runs. */
function runInKernel(item: ConformanceCase): bigint {
  const maps = new Map<string, BpfMap>();
  try {
    if (item.memory.length > 0) {
      const valueSize = item.memory.length;
      maps.set('mem', createMap({ name: 'mem', type: 'array', keySize: 4, valueSize, maxEntries: 1 }));
    }
    const half = (upper: boolean): bigint => {
      maps.get('mem')?.writeValue(item.memory);
      const program = loadProgram(programOf(item, upper), maps);
      try {
        return BigInt(testRun(program, { data: new Uint8Array(64) }).retval);
      } finally {
        program.close();
      }
    };
    return half(false) | (half(true) << 32n);
  } finally {
    for (const map of maps.values()) map.close();
  }
}

suite('bpf_conformance in the kernel (../shared/conformance/bpf)', ['root', 'btf', 'shared'], () => {
  for (const item of readCases()) {
    const reason = REFUSED[item.name];
    if (reason === undefined) it(item.name, () => expect(runInKernel(item)).toBe(item.result));
    else it(`${item.name}: refused, ${reason.source}`, () => expect(() => runInKernel(item)).toThrow(reason));
  }
});
