/**
 * Assembler for the text dialect of the public BPF conformance suites, with a few forms more for what Linux adds:
 *
 *     start:  mov32 %r0, 1          lock fetch add [%r10-8], %r1      call 12
 *             ldxh %r2, [%r1+2]     lock cmpxchg32 [%r10-8], %r1      call local start
 *             lddw %r3, 0x100000000 be16 %r2                          call kfunc bpf_rdonly_cast
 *             lddw %r1, map NAME    jset32 %r2, 7, start              call %r2
 *             lddw %r1, value NAME+8   lddw %r2, func LABEL           mov %r2, struct NAME
 *
 * `#` begins a comment. A jump goes to a label or over a number of slots (`ja +2`). The label `exit` need not be written: it is
 * the last exit instruction.
 */

import { type Assembled, assemble } from './builder.ts';
import type { Code, CodeInstruction, CodeItem, PendingRelocation } from './code.ts';
import { type Instruction, lddwSlots } from './instruction.ts';
import { CALL_SOURCE, CLASS, JMP_OP, LDDW_SOURCE, SOURCE } from './opcodes.ts';
import { atomicMnemonic, MNEMONICS, type Mnemonic } from './text-dialect.ts';
import { LineError, type LineReader, readLine, type TextError } from './text-lexer.ts';

export type { TextError } from './text-lexer.ts';

export type TextResult =
  | { readonly ok: true; readonly code: Code; readonly assembled: Assembled }
  | { readonly ok: false; readonly errors: readonly TextError[] };

/** Assembles a whole text; all errors of the text are reported, in the order of their lines. */
export function assembleText(text: string): TextResult {
  const state: State = { items: [], labels: new Map(), uses: [], errors: [], lastExit: undefined };
  text.split('\n').forEach((line, index) => {
    try {
      assembleLine(state, line.replace(/\r$/, ''), index + 1);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      state.errors.push({ line: index + 1, column: error.column, message: error.message });
    }
  });
  placeImplicitExit(state);
  for (const use of state.uses) {
    if (!state.labels.has(use.label))
      state.errors.push({ ...use.place, message: `label "${use.label}" is not defined` });
  }
  state.errors.sort((a, b) => a.line - b.line || a.column - b.column);
  if (state.errors.length > 0) return { ok: false, errors: Object.freeze(state.errors) };
  return { ok: true, code: state.items, assembled: assemble(state.items) };
}

interface Place {
  readonly line: number;
  readonly column: number;
}

interface State {
  readonly items: CodeItem[];
  readonly labels: Map<string, number>;
  readonly uses: { readonly label: string; readonly place: Place }[];
  readonly errors: TextError[];
  /** Index of the last exit instruction in `items`. */
  lastExit: number | undefined;
}

function assembleLine(state: State, line: string, number: number): void {
  const reader = readLine(line);
  if (reader.atEnd()) return;
  let column = reader.column();
  let name = reader.word('an instruction or a label');
  while (reader.accept(':')) {
    if (state.labels.has(name)) {
      throw new LineError(column, `label "${name}" is defined already, on line ${state.labels.get(name)}`);
    }
    state.labels.set(name, number);
    state.items.push({ kind: 'label', label: name });
    if (reader.atEnd()) return;
    column = reader.column();
    name = reader.word('an instruction');
  }
  const item = instruction(name, column, reader, (label, at) => {
    state.uses.push({ label, place: { line: number, column: at } });
  });
  reader.end();
  if (name === 'exit') state.lastExit = state.items.length;
  state.items.push(item);
}

function placeImplicitExit(state: State): void {
  if (state.labels.has('exit') || state.lastExit === undefined) return;
  if (!state.uses.some((use) => use.label === 'exit')) return;
  state.labels.set('exit', 0);
  state.items.splice(state.lastExit, 0, { kind: 'label', label: 'exit' });
}

type UseLabel = (label: string, column: number) => void;

function instruction(name: string, column: number, reader: LineReader, use: UseLabel): CodeInstruction {
  if (name === 'lock') return atomicInstruction(reader);
  if (name === 'call') return callInstruction(reader, use);
  if (name === 'lddw') return lddwInstruction(reader, use);
  const mnemonic = MNEMONICS.get(name);
  if (mnemonic === undefined) throw new LineError(column, `unknown instruction "${name}"`);
  return plainInstruction(mnemonic, reader, use);
}

function plainInstruction(mnemonic: Mnemonic, reader: LineReader, use: UseLabel): CodeInstruction {
  const { opcode, offset = 0 } = mnemonic;
  switch (mnemonic.kind) {
    case 'none':
      return make({ opcode });
    case 'alu': {
      const dst = reader.register();
      reader.take(',');
      if (reader.nextIsRegister()) return make({ opcode: opcode | SOURCE.REG, dst, src: reader.register(), offset });
      if (reader.peekWord() === 'struct') {
        reader.word('struct');
        return make({ opcode, dst }, { relocation: { kind: 'struct', name: reader.word('the name of a struct') } });
      }
      return make({ opcode, dst, offset, imm: immediate(reader) });
    }
    case 'move': {
      const dst = reader.register();
      reader.take(',');
      return make({ opcode, dst, src: reader.register(), offset });
    }
    case 'unary':
      return make({ opcode, dst: reader.register(), imm: mnemonic.imm ?? 0 });
    case 'jump': {
      const dst = reader.register();
      reader.take(',');
      const operand = reader.nextIsRegister()
        ? { opcode: opcode | SOURCE.REG, src: reader.register() }
        : { opcode, imm: immediate(reader) };
      reader.take(',');
      return jumpTo({ ...operand, dst }, 'offset', reader, use);
    }
    case 'goto':
      return jumpTo({ opcode }, mnemonic.far === true ? 'imm' : 'offset', reader, use);
    case 'load': {
      const dst = reader.register();
      reader.take(',');
      const place = memory(reader);
      return make({ opcode, dst, src: place.base, offset: place.offset });
    }
    case 'store': {
      const place = memory(reader);
      reader.take(',');
      return make({ opcode, dst: place.base, offset: place.offset, src: reader.register() });
    }
    case 'storeImmediate': {
      const place = memory(reader);
      reader.take(',');
      return make({ opcode, dst: place.base, offset: place.offset, imm: immediate(reader) });
    }
  }
}

function atomicInstruction(reader: LineReader): CodeInstruction {
  const column = reader.column();
  const first = reader.word('an atomic operation');
  const name = first === 'fetch' ? `fetch ${reader.word('an atomic operation')}` : first;
  const operation = atomicMnemonic(name);
  if (operation === undefined) throw new LineError(column, `unknown atomic operation "${name}"`);
  const place = memory(reader);
  reader.take(',');
  return make({ ...operation, dst: place.base, offset: place.offset, src: reader.register() });
}

function callInstruction(reader: LineReader, use: UseLabel): CodeInstruction {
  const opcode = CLASS.JMP | JMP_OP.CALL;
  if (reader.nextIsRegister()) return make({ opcode: opcode | SOURCE.REG, dst: reader.register() });
  const word = reader.peekWord();
  if (word === 'local') {
    reader.word('local');
    return jumpTo({ opcode, src: CALL_SOURCE.LOCAL }, 'imm', reader, use);
  }
  if (word === 'kfunc') {
    reader.word('kfunc');
    const name = reader.word('the name of a kernel function');
    return make({ opcode, src: CALL_SOURCE.KFUNC }, { relocation: { kind: 'kfunc', name } });
  }
  return make({ opcode, src: CALL_SOURCE.HELPER, imm: immediate(reader) });
}

function lddwInstruction(reader: LineReader, use: UseLabel): CodeInstruction {
  const dst = reader.register();
  reader.take(',');
  const wide = (value: bigint, source: number, more: Partial<CodeInstruction> = {}): CodeInstruction => {
    const [insn, second] = lddwSlots(dst, value, source);
    return { kind: 'insn', insn, second, ...more };
  };
  const related = (relocation: PendingRelocation, value: bigint, source: number): CodeInstruction =>
    wide(value, source, { relocation });
  const word = reader.peekWord();
  if (word === undefined) {
    return wide(reader.number(-(2n ** 63n), 2n ** 64n - 1n, 'a 64-bit number'), LDDW_SOURCE.IMM);
  }
  const column = reader.column();
  reader.word('an operand');
  switch (word) {
    case 'map':
      return related({ kind: 'map', map: reader.word('the name of a map') }, 0n, LDDW_SOURCE.MAP_FD);
    case 'value': {
      const map = reader.word('the name of a map');
      const offset = reader.atEnd() ? 0n : reader.number(0n, 2n ** 31n - 1n, 'an offset');
      return related({ kind: 'mapValue', map, offset: Number(offset) }, offset << 32n, LDDW_SOURCE.MAP_VALUE);
    }
    case 'func': {
      const at = reader.column();
      const label = reader.word('a label');
      use(label, at);
      return wide(0n, LDDW_SOURCE.FUNC, { target: { label, field: 'imm' } });
    }
    default:
      throw new LineError(column, `expected a number, map, value or func, found "${word}"`);
  }
}

function jumpTo(
  insn: Partial<Instruction> & { opcode: number },
  field: 'offset' | 'imm',
  reader: LineReader,
  use: UseLabel,
): CodeInstruction {
  if (reader.nextIsNumber()) {
    const limit = field === 'offset' ? 2n ** 15n : 2n ** 31n;
    return make({ ...insn, [field]: Number(reader.number(-limit, limit - 1n, 'a distance')) });
  }
  const column = reader.column();
  const label = reader.word('a label');
  use(label, column);
  return make(insn, { target: { label, field } });
}

function memory(reader: LineReader): { base: number; offset: number } {
  reader.take('[');
  const base = reader.register();
  const offset = reader.isNext(']') ? 0 : Number(reader.number(-0x8000n, 0x7fffn, 'an offset'));
  reader.take(']');
  return { base, offset };
}

/** 32 bits, written as signed or unsigned number. */
function immediate(reader: LineReader): number {
  return Number(BigInt.asIntN(32, reader.number(-(2n ** 31n), 2n ** 32n - 1n, 'a 32-bit number')));
}

function make(insn: Partial<Instruction> & { opcode: number }, more: Partial<CodeInstruction> = {}): CodeInstruction {
  return { kind: 'insn', insn: { dst: 0, src: 0, offset: 0, imm: 0, ...insn }, ...more };
}
