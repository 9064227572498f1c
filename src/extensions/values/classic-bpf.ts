/** Classic BPF as `tcpdump -ddd` and nfbpf_compile write it: `count,code jt jf k,code jt jf k,...`. */

import type { OptionValue } from '../../rules/model.ts';
import type { ValueType } from '../contract.ts';
import { bad, good, U32_MAX, wrongKind } from './numbers.ts';

/** struct sock_filter: jumps count instructions from the next one on. */
export interface ClassicInstruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** XT_BPF_MAX_NUM_INSTR */
const LONGEST = 64;
const SIZE = 8;
/** BPF_MEMWORDS */
const WORDS = 16;

/** Codes that the kernel takes (chk_code_allowed of bpf_check_classic). */
const CODES: ReadonlySet<number> = new Set([
  // Loads: absolute, indexed, immediate, memory, length; into x: immediate, memory, length, IP header length; stores.
  ...[0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x00, 0x60, 0x80, 0x01, 0x61, 0x81, 0xb1, 0x02, 0x03],
  // Arithmetic with a constant and with x, negation.
  ...[0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0x94, 0xa4, 0x84],
  ...[0x0c, 0x1c, 0x2c, 0x3c, 0x4c, 0x5c, 0x6c, 0x7c, 0x9c, 0xac],
  // Jumps, returns, moves between a and x.
  ...[0x05, 0x15, 0x25, 0x35, 0x45, 0x1d, 0x2d, 0x3d, 0x4d, 0x06, 0x16, 0x07, 0x87],
]);

/**
 * A program, kept as bytes: eight for each instruction, code (two bytes, big endian), jt, jf and k (four, big endian). What the
 * kernel refuses to load is refused here.
 */
export const classicBpf: ValueType = {
  words: 1,
  parse([text = '']) {
    const [count = '', ...lines] = text.split(',');
    if (!/^\d+$/.test(count)) return bad('the program must begin with the number of its instructions');
    const wanted = Number(count);
    if (wanted === 0 || wanted > LONGEST) return bad(`a program has 1 to ${LONGEST} instructions`);
    if (lines.at(-1) === '') lines.pop();
    if (lines.length !== wanted) return bad(`${wanted} instructions are announced, but ${lines.length} follow`);
    const program: ClassicInstruction[] = [];
    for (const line of lines) {
      const instruction = readInstruction(line);
      if (instruction === undefined) return bad(`"${line}" is not an instruction such as 48 0 0 9`);
      program.push(instruction);
    }
    const problem = firstProblem(program);
    return problem === undefined ? good({ kind: 'bytes', bytes: program.flatMap(toBytes) }) : bad(problem);
  },
  print(value) {
    const program = classicInstructions(value);
    const lines = program.map(({ code, jt, jf, k }) => `${code} ${jt} ${jf} ${k}`);
    return [`"${[program.length, ...lines].join(',')}"`];
  },
};

/** The instructions of a value of this type. */
export function classicInstructions(value: OptionValue): readonly ClassicInstruction[] {
  if (value.kind !== 'bytes') return wrongKind(value);
  const view = new DataView(Uint8Array.from(value.bytes).buffer);
  return Array.from({ length: value.bytes.length / SIZE }, (_, at) => ({
    code: view.getUint16(at * SIZE),
    jt: view.getUint8(at * SIZE + 2),
    jf: view.getUint8(at * SIZE + 3),
    k: view.getUint32(at * SIZE + 4),
  }));
}

function toBytes({ code, jt, jf, k }: ClassicInstruction): readonly number[] {
  return [code >> 8, code & 0xff, jt, jf, k >>> 24, (k >>> 16) & 0xff, (k >>> 8) & 0xff, k & 0xff];
}

/** Decimal numbers; k may be negative and then stands for its two's complement. */
function readInstruction(line: string): ClassicInstruction | undefined {
  const found = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(-?\d+)\s*$/.exec(line);
  if (found === null) return undefined;
  const [code, jt, jf, k] = found.slice(1).map(Number) as [number, number, number, number];
  if (code > 0xffff || jt > 0xff || jf > 0xff || k > Number(U32_MAX) || k < -0x8000_0000) return undefined;
  return { code, jt, jf, k: k >>> 0 };
}

/** bpf_check_classic. */
function firstProblem(program: readonly ClassicInstruction[]): string | undefined {
  for (const [at, { code, jt, jf, k }] of program.entries()) {
    const here = `instruction ${at}`;
    const left = program.length - at - 1;
    if (!CODES.has(code)) return `${here} has no known code`;
    if ((code === 0x34 || code === 0x94) && k === 0) return `${here} divides by zero`;
    if ((code === 0x64 || code === 0x74) && k > 31) return `${here} shifts by more than 31 bits`;
    if ([0x60, 0x61, 0x02, 0x03].includes(code) && k >= WORDS) return `${here} uses a word of memory that there is not`;
    if (code === 0x05 && k >= left) return `${here} jumps out of the program`;
    const jumps = (code & 0x07) === 0x05 && code !== 0x05;
    if (jumps && (jt >= left || jf >= left)) return `${here} jumps out of the program`;
  }
  const last = program.at(-1)?.code;
  return last === 0x06 || last === 0x16 ? unsetMemory(program) : 'the last instruction must return';
}

/** A load of a word of memory that not every way there has stored (check_load_and_stores). */
function unsetMemory(program: readonly ClassicInstruction[]): string | undefined {
  const ALL = 2 ** WORDS - 1;
  /** Words that are set on every way to an instruction, by jumps; all of them until one is known. */
  const atJump = program.map(() => ALL);
  let set = 0;
  for (const [at, { code, jt, jf, k }] of program.entries()) {
    set &= atJump[at] ?? ALL;
    const jump = (by: number): void => {
      atJump[at + 1 + by] = (atJump[at + 1 + by] ?? ALL) & set;
    };
    if (code === 0x02 || code === 0x03) set |= 1 << k;
    else if ((code === 0x60 || code === 0x61) && (set & (1 << k)) === 0) {
      return `instruction ${at} reads memory that nothing has written`;
    } else if ((code & 0x07) === 0x05) {
      for (const by of code === 0x05 ? [k] : [jt, jf]) jump(by);
      set = ALL;
    }
  }
  return undefined;
}
