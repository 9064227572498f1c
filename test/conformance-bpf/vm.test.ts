/** The public BPF conformance cases through the assembler and the virtual machine, one test per file. */

import { describe, expect, it } from 'vitest';
import { assembleText } from '../../src/bpf/text-assembler.ts';
import { formatText } from '../../src/bpf/text-format.ts';
import { HELPERS } from '../../src/bpf/vm/helpers.ts';
import { KFUNCS } from '../../src/bpf/vm/kfuncs.ts';
import { linkProgram } from '../../src/bpf/vm/link.ts';
import { createMachine, runProgram } from '../../src/bpf/vm/machine.ts';
import { mapRegion } from '../../src/bpf/vm/memory.ts';
import { CASES_PRESENT, readCases } from './cases.ts';

const ENVIRONMENT = { jiffies: () => 0n, nanoseconds: () => 0n, random: () => 4, cpu: 0 };

describe.skipIf(!CASES_PRESENT)('bpf_conformance in the virtual machine (../shared/conformance/bpf)', () => {
  for (const { name, text, memory, result } of readCases()) {
    it(name, () => {
      const assembled = assembleText(text);
      if (!assembled.ok) throw new Error(JSON.stringify(assembled.errors));
      const { insns, relocations } = assembled.assembled;
      const machine = createMachine({ helpers: HELPERS, kfuncs: KFUNCS, environment: ENVIRONMENT });
      const region = mapRegion(machine.memory, 'mem', memory.slice(), { writable: true, strict: true });
      const program = linkProgram(machine, { name, insns, relocations }, new Map());
      const address = memory.length === 0 ? 0n : region.base;
      expect(runProgram(machine, program, [address, BigInt(memory.length)])).toBe(result);

      const again = assembleText(formatText({ insns, relocations }));
      expect(again.ok && again.assembled.insns).toEqual(insns);
    });
  }
});
