/**
 * Programs as text to read, in the notation of the kernel's verifier log, with names for what only relocations know:
 *
 *        0: (79) r6 = *(u64 *)(r1 +8)
 *        1: (18) r1 = map[bf_events]
 *        3: (85) call kfunc bpf_rdonly_cast
 *        4: (15) if r0 == 0x0 goto L1
 *     L1:
 *        5: (95) exit
 */

import { decodeInstructions, type Instruction, lddwValue } from './instruction.ts';
import {
  ALU_OP,
  type AluOpName,
  ATOMIC_OP,
  CALL_SOURCE,
  CLASS,
  classOf,
  isAluClass,
  isJumpClass,
  JMP_OP,
  type JmpOpName,
  LDDW,
  LDDW_SOURCE,
  MODE,
  modeOf,
  operationOf,
  SIZE,
  sizeOf,
  usesSourceRegister,
} from './opcodes.ts';
import type { ProgramSpec, Relocation } from './program.ts';
import { jumpTargets } from './targets.ts';

/** One line per instruction and label, without a line end behind the last. Never throws for whole slots. */
export function disassemble(program: Pick<ProgramSpec, 'insns' | 'relocations'>): string {
  const insns = decodeInstructions(program.insns);
  const relocations = new Map(program.relocations.map((relocation) => [relocation.slot, relocation]));
  const { targets, names } = jumpTargets(insns);
  const lines: string[] = [];
  for (let slot = 0; slot < insns.length; slot++) {
    const insn = insns[slot]!;
    const label = names.get(slot);
    if (label !== undefined) lines.push(`${label}:`);
    const second = insn.opcode === LDDW ? insns[slot + 1] : undefined;
    const target = names.get(targets.get(slot) ?? -1);
    const text = instructionText(insn, second, relocations.get(slot), target);
    lines.push(`${String(slot).padStart(5)}: (${insn.opcode.toString(16).padStart(2, '0')}) ${text}`);
    if (second !== undefined) slot++;
  }
  return lines.join('\n');
}

/** One instruction without its slot number. `target`: name of the place it jumps to. */
export function instructionText(
  insn: Instruction,
  second: Instruction | undefined,
  relocation: Relocation | undefined,
  target: string | undefined,
): string {
  if (isAluClass(insn.opcode)) return aluText(insn, relocation) ?? unknown(insn);
  if (isJumpClass(insn.opcode)) return jumpText(insn, relocation, target) ?? unknown(insn);
  if (insn.opcode === LDDW && second !== undefined) return lddwText(insn, second, relocation, target);
  return memoryText(insn) ?? unknown(insn);
}

function unknown(insn: Instruction): string {
  return `unknown: dst r${insn.dst} src r${insn.src} off ${insn.offset} imm ${insn.imm}`;
}

const ALU_SIGNS = {
  ADD: '+=',
  SUB: '-=',
  MUL: '*=',
  DIV: '/=',
  OR: '|=',
  AND: '&=',
  LSH: '<<=',
  RSH: '>>=',
  MOD: '%=',
  XOR: '^=',
  MOV: '=',
  ARSH: 's>>=',
} as const satisfies Partial<Record<AluOpName, string>>;

const JUMP_SIGNS = {
  JEQ: '==',
  JGT: '>',
  JGE: '>=',
  JSET: '&',
  JNE: '!=',
  JSGT: 's>',
  JSGE: 's>=',
  JLT: '<',
  JLE: '<=',
  JSLT: 's<',
  JSLE: 's<=',
} as const satisfies Partial<Record<JmpOpName, string>>;

const ALU_SIGN = new Map(Object.entries(ALU_SIGNS).map(([name, sign]) => [ALU_OP[name as AluOpName] as number, sign]));
const JUMP_SIGN = new Map(
  Object.entries(JUMP_SIGNS).map(([name, sign]) => [JMP_OP[name as JmpOpName] as number, sign]),
);

function aluText(insn: Instruction, relocation: Relocation | undefined): string | undefined {
  const wide = classOf(insn.opcode) === CLASS.ALU64;
  const letter = wide ? 'r' : 'w';
  const dst = `${letter}${insn.dst}`;
  const operation = operationOf(insn.opcode);
  if (operation === ALU_OP.END) {
    const name = wide ? 'bswap' : usesSourceRegister(insn.opcode) ? 'be' : 'le';
    return `r${insn.dst} = ${name}${insn.imm} r${insn.dst}`;
  }
  if (operation === ALU_OP.NEG) return `${dst} = -${dst}`;
  const sign = ALU_SIGN.get(operation);
  if (sign === undefined) return undefined;
  if (relocation?.kind === 'struct') return `${dst} = id of struct ${relocation.name}`;
  if (operation === ALU_OP.MOV && insn.offset !== 0) return `${dst} = (s${insn.offset})${letter}${insn.src}`;
  const signed = insn.offset === 1 && (operation === ALU_OP.DIV || operation === ALU_OP.MOD) ? 's' : '';
  const operand = usesSourceRegister(insn.opcode) ? `${letter}${insn.src}` : `${insn.imm}`;
  return `${dst} ${signed}${sign} ${operand}`;
}

function jumpText(
  insn: Instruction,
  relocation: Relocation | undefined,
  target: string | undefined,
): string | undefined {
  const wide = classOf(insn.opcode) === CLASS.JMP;
  const letter = wide ? 'r' : 'w';
  switch (operationOf(insn.opcode)) {
    case JMP_OP.JA:
      return wide ? `goto ${target ?? distance(insn.offset)}` : `gotol ${target ?? distance(insn.imm)}`;
    case JMP_OP.EXIT:
      return wide ? 'exit' : undefined;
    case JMP_OP.CALL:
      return wide ? callText(insn, relocation, target) : undefined;
    default: {
      const sign = JUMP_SIGN.get(operationOf(insn.opcode));
      if (sign === undefined) return undefined;
      const operand = usesSourceRegister(insn.opcode) ? `${letter}${insn.src}` : hex32(insn.imm);
      return `if ${letter}${insn.dst} ${sign} ${operand} goto ${target ?? distance(insn.offset)}`;
    }
  }
}

function callText(insn: Instruction, relocation: Relocation | undefined, target: string | undefined): string {
  if (usesSourceRegister(insn.opcode)) return `call r${insn.dst}`;
  if (insn.src === CALL_SOURCE.LOCAL) return `call ${target ?? distance(insn.imm)}`;
  if (insn.src === CALL_SOURCE.KFUNC) return `call kfunc ${relocation?.kind === 'kfunc' ? relocation.name : insn.imm}`;
  return `call ${HELPER_NAMES[insn.imm] ?? 'helper'}#${insn.imm}`;
}

/** Names (without bpf_) of the helpers that generated programs call; others show their number only. */
const HELPER_NAMES: Readonly<Record<number, string>> = Object.freeze({
  1: 'map_lookup_elem',
  2: 'map_update_elem',
  3: 'map_delete_elem',
  5: 'ktime_get_ns',
  7: 'get_prandom_u32',
  8: 'get_smp_processor_id',
  12: 'tail_call',
  93: 'spin_lock',
  94: 'spin_unlock',
  113: 'probe_read_kernel',
  118: 'jiffies64',
  130: 'ringbuf_output',
  131: 'ringbuf_reserve',
  132: 'ringbuf_submit',
  133: 'ringbuf_discard',
  181: 'loop',
  201: 'dynptr_read',
});

function lddwText(
  insn: Instruction,
  second: Instruction,
  relocation: Relocation | undefined,
  target: string | undefined,
): string {
  const dst = `r${insn.dst} =`;
  if (relocation?.kind === 'map') return `${dst} map[${relocation.map}]`;
  if (relocation?.kind === 'mapValue') return `${dst} map[${relocation.map}].value+${relocation.offset}`;
  if (insn.src === LDDW_SOURCE.FUNC) return `${dst} func[${target ?? distance(insn.imm)}]`;
  const value = `0x${lddwValue(insn, second).toString(16)}`;
  return insn.src === LDDW_SOURCE.IMM ? `${dst} ${value}` : `${dst} pseudo${insn.src}[${value}]`;
}

const SIZE_BITS = new Map<number, number>([
  [SIZE.B, 8],
  [SIZE.H, 16],
  [SIZE.W, 32],
  [SIZE.DW, 64],
]);

function memoryText(insn: Instruction): string | undefined {
  const bits = SIZE_BITS.get(sizeOf(insn.opcode));
  const mode = modeOf(insn.opcode);
  const cls = classOf(insn.opcode);
  const at = (base: number): string => `(r${base} ${distance(insn.offset).slice(2)})`;
  if (cls === CLASS.LDX && mode === MODE.MEM) return `r${insn.dst} = *(u${bits} *)${at(insn.src)}`;
  if (cls === CLASS.LDX && mode === MODE.MEMSX) return `r${insn.dst} = *(s${bits} *)${at(insn.src)}`;
  if (cls === CLASS.ST && mode === MODE.MEM) return `*(u${bits} *)${at(insn.dst)} = ${insn.imm}`;
  if (cls === CLASS.STX && mode === MODE.MEM) return `*(u${bits} *)${at(insn.dst)} = r${insn.src}`;
  if (cls === CLASS.STX && mode === MODE.ATOMIC) return atomicText(insn, `(u${bits} *)${at(insn.dst)}`, bits === 64);
  return undefined;
}

const ATOMIC_SIGNS = new Map<number, readonly [sign: string, name: string]>([
  [ATOMIC_OP.ADD, ['+=', 'add']],
  [ATOMIC_OP.OR, ['|=', 'or']],
  [ATOMIC_OP.AND, ['&=', 'and']],
  [ATOMIC_OP.XOR, ['^=', 'xor']],
]);

function atomicText(insn: Instruction, place: string, wide: boolean): string | undefined {
  const prefix = wide ? 'atomic64' : 'atomic';
  if (insn.imm === ATOMIC_OP.XCHG) return `r${insn.src} = ${prefix}_xchg(${place}, r${insn.src})`;
  if (insn.imm === ATOMIC_OP.CMPXCHG) return `r0 = ${prefix}_cmpxchg(${place}, r0, r${insn.src})`;
  const fetch = (insn.imm & ATOMIC_OP.FETCH) !== 0;
  const found = ATOMIC_SIGNS.get(insn.imm & ~ATOMIC_OP.FETCH);
  if (found === undefined) return undefined;
  return fetch
    ? `r${insn.src} = ${prefix}_fetch_${found[1]}(${place}, r${insn.src})`
    : `lock *${place} ${found[0]} r${insn.src}`;
}

function distance(slots: number): string {
  return `pc${slots < 0 ? slots : `+${slots}`}`;
}

function hex32(imm: number): string {
  return imm < 0 ? `${imm}` : `0x${imm.toString(16)}`;
}
