/**
 * Headers that do not repeat. BPF_PROG_TEST_RUN gives a program the same packet every time, and a branch predictor learns
 * it; so each run takes its headers from the next entry of a table in a map instead. The program itself stays as compiled,
 * except that it takes the address of the packet's data from its stack, where a few instructions put in front have left it.
 */
import { add, and, lddw, ldx, lsh, mov, stx } from '../src/bpf/assembly.ts';
import { buildProgram } from '../src/bpf/builder.ts';
import type { Code } from '../src/bpf/code.ts';
import type { KernelFacts } from '../src/bpf/facts.ts';
import { decodeInstructions, encodeInstructions, R0, R1, R2, R6, R9, R10 } from '../src/bpf/instruction.ts';
import { CLASS, MODE, SIZE } from '../src/bpf/opcodes.ts';
import type { MapSpec, ProgramSpec } from '../src/bpf/program.ts';

/** Entries of the table, a power of two, and bytes of each. */
export const TRACE_ENTRIES = 1 << 16;
export const ENTRY_BYTES = 64;
const ENTRY_SHIFT = 6;

const TRACE_MAP = 'bench_trace';
const INDEX_MAP = 'bench_index';
/** Stack slot for the address, at the far end from what compiled programs use. */
const SLOT = -512;

/** The table and the number of the next entry, to be created beside the program's own maps. */
export function traceMaps(headers: readonly Uint8Array[]): readonly MapSpec[] {
  const table = new Uint8Array(TRACE_ENTRIES * ENTRY_BYTES);
  for (let index = 0; index < TRACE_ENTRIES; index++) {
    table.set(headers[index % headers.length]!.subarray(0, ENTRY_BYTES), index * ENTRY_BYTES);
  }
  const array = { type: 'array', keySize: 4, maxEntries: 1 } as const;
  return [
    { ...array, name: TRACE_MAP, valueSize: table.length, initial: table },
    { ...array, name: INDEX_MAP, valueSize: 8 },
  ];
}

const PROLOGUE: Code = [
  mov.reg(R9, R1),
  lddw.mapValue(R1, INDEX_MAP, 0),
  ldx.dw(R0, R1, 0),
  mov.reg(R2, R0),
  add.imm(R2, 1),
  stx.dw(R1, 0, R2),
  and.imm(R0, TRACE_ENTRIES - 1),
  lsh.imm(R0, ENTRY_SHIFT),
  lddw.mapValue(R1, TRACE_MAP, 0),
  add.reg(R1, R0),
  stx.dw(R10, SLOT, R1),
  mov.reg(R1, R9),
];

const LOAD_U64 = CLASS.LDX | MODE.MEM | SIZE.DW;

/** The program with the prologue in front, reading headers from the table. Throws when it never takes the packet's address. */
export function withTrace(program: ProgramSpec, facts: KernelFacts): ProgramSpec {
  const offset = facts.members['sk_buff.data']!.offset;
  const skb = facts.members['bpf_nf_ctx.skb']!.offset;
  let found = 0;
  // The register that the instruction before has loaded with the packet.
  let packet = -1;
  const body = decodeInstructions(program.insns).map((insn) => {
    const from = packet;
    const loadsU64 = insn.opcode === LOAD_U64;
    packet = loadsU64 && insn.src === R6 && insn.offset === skb ? insn.dst : -1;
    if (!loadsU64 || insn.src !== from || insn.offset !== offset) return insn;
    found++;
    return { ...insn, src: R10, offset: SLOT };
  });
  if (found === 0) throw new Error(`${program.name} does not read sk_buff.data`);
  return prefixed(program, encodeInstructions(body));
}

/** The same prologue in front of a program that reads no headers: the baseline. */
export function withIdleTrace(program: ProgramSpec): ProgramSpec {
  return prefixed(program, program.insns);
}

function prefixed(program: ProgramSpec, body: Uint8Array): ProgramSpec {
  const prologue = buildProgram('prologue', 'netfilter', PROLOGUE);
  const insns = new Uint8Array(prologue.insns.length + body.length);
  insns.set(prologue.insns);
  insns.set(body, prologue.insns.length);
  const shift = prologue.insns.length / 8;
  const moved = program.relocations.map((item) => ({ ...item, slot: item.slot + shift }));
  return { ...program, insns, relocations: [...prologue.relocations, ...moved] };
}
