import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { disassemble } from './disassembler.ts';
import { decodeInstructions, encodeInstructions } from './instruction.ts';
import { assembleText } from './text-assembler.ts';
import { MNEMONICS } from './text-dialect.ts';
import { formatText } from './text-format.ts';

function program(text: string) {
  const result = assembleText(text);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.assembled;
}

describe('text assembler', () => {
  it('knows every form', () => {
    const { insns, relocations } = program(`
start: mov %r6, r1             # both spellings of a register
  lddw %r1, map events
  lddw %r2, value counters + 16
  lddw %r3, func callback
  lddw %r4, -1
  mov %r2, struct nf_conn
  call kfunc bpf_rdonly_cast
  call local callback
  call 12
  call %r3
  jset32 %r1, -1, start
  jgt %r1, %r2, +1
  ja -2
  ja32 start
  lock fetch xor32 [%r10 - 8], %r1
  lock cmpxchg [%r10-8], %r1
  stdw [%r10-16], -1
  ldxsw %r0, [%r10-16]
  exit
callback:
  bswap64 %r1
  movsx832 %r0, %r1
  exit`);
    const decoded = decodeInstructions(insns);
    expect(decoded[0]).toEqual({ opcode: 0xbf, dst: 6, src: 1, offset: 0, imm: 0 });
    expect(relocations).toEqual([
      { slot: 1, kind: 'map', map: 'events' },
      { slot: 3, kind: 'mapValue', map: 'counters', offset: 16 },
      { slot: 9, kind: 'struct', name: 'nf_conn' },
      { slot: 10, kind: 'kfunc', name: 'bpf_rdonly_cast' },
    ]);
    expect(decoded[5]).toMatchObject({ opcode: 0x18, src: 4, imm: 23 - 5 - 1 });
    expect(decoded[11]).toMatchObject({ opcode: 0x85, src: 1, imm: 23 - 11 - 1 });
    expect(decoded[13]).toMatchObject({ opcode: 0x8d, dst: 3 });
    expect(decoded[14]).toMatchObject({ opcode: 0x46, dst: 1, imm: -1, offset: -15 });
    expect(decoded[18]).toMatchObject({ opcode: 0xc3, imm: 0xa1, offset: -8 });
  });

  it('reports every error with its place', () => {
    const result = assembleText(
      [
        'mov %r0 1',
        'mov %r11, 1',
        'nop',
        'mov %r0, 0x1ffffffff',
        'ja nowhere',
        'a:',
        ' a: exit',
        'stw [%r1*2], 0',
        'exit exit',
      ].join('\n'),
    );
    expect(result.ok).toBe(false);
    expect(result.ok ? [] : result.errors).toEqual([
      { line: 1, column: 9, message: 'expected ",", found "1"' },
      { line: 2, column: 5, message: 'there is no register r11, the last is r10' },
      { line: 3, column: 1, message: 'unknown instruction "nop"' },
      { line: 4, column: 10, message: 'a 32-bit number 8589934591 is out of range -2147483648..4294967295' },
      { line: 5, column: 4, message: 'label "nowhere" is not defined' },
      { line: 7, column: 2, message: 'label "a" is defined already, on line 6' },
      { line: 8, column: 9, message: 'unexpected character "*"' },
      { line: 9, column: 6, message: 'expected the end of the line, found "exit"' },
    ]);
  });

  it('lets a label called exit be written', () => {
    const { insns } = program('ja exit\nexit\nexit:\nmov %r0, 1\nexit');
    expect(decodeInstructions(insns)[0]).toMatchObject({ offset: 1 });
    expect(assembleText('ja exit').ok).toBe(false);
  });

  it('never throws on any text', () => {
    const piece = fc.constantFrom(
      'mov',
      '%r1',
      ',',
      '[',
      ']',
      '+8',
      '-0x1',
      'lock',
      'fetch',
      'add',
      'call',
      ':',
      'exit',
      '\n',
      '#',
      ';',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 3 }))), (pieces) => {
        expect(() => assembleText(pieces.join(' '))).not.toThrow();
      }),
    );
  });
});

/** One instruction text with random operands for every word of the dialect. */
const registerName = fc.nat(10).map((r) => `%r${r}`);
const place = fc
  .tuple(registerName, fc.integer({ min: -0x8000, max: 0x7fff }))
  .map(([r, off]) => `[${r}${off < 0 ? off : `+${off}`}]`);
const imm = fc.integer({ min: -0x80000000, max: 0x7fffffff }).map(String);
const operand = fc.oneof(registerName, imm);
const target = fc.constantFrom('start', 'end');
const join = (...parts: fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((all) => all.join(', '));
const OPERANDS = {
  none: fc.constant(''),
  alu: join(registerName, operand),
  move: join(registerName, registerName),
  unary: registerName,
  jump: join(registerName, operand, target),
  goto: target,
  load: join(registerName, place),
  store: join(place, registerName),
  storeImmediate: join(place, imm),
} as const;
const instruction = fc.oneof(
  fc.constantFrom(...MNEMONICS).chain(([word, { kind }]) => OPERANDS[kind].map((operands) => `${word} ${operands}`)),
  fc
    .tuple(
      fc.constantFrom('add', 'fetch or', 'xchg', 'cmpxchg', 'fetch and', 'xor'),
      fc.constantFrom('', '32'),
      place,
      registerName,
    )
    .map(([word, suffix, at, r]) => `lock ${word}${suffix} ${at}, ${r}`),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => `lddw %r3, ${value}`),
  fc.constantFrom(
    'call 1',
    'call local end',
    'call %r4',
    'call kfunc f',
    'lddw %r1, map m',
    'lddw %r1, value m+8',
    'lddw %r1, func start',
  ),
);

describe('text format', () => {
  it('prints what assembles to the same program', () => {
    fc.assert(
      fc.property(fc.array(instruction, { minLength: 1, maxLength: 12 }), (lines) => {
        const first = program(`start:\n${lines.join('\n')}\nend: exit`);
        const second = program(formatText(first));
        expect(second.insns).toEqual(first.insns);
        expect(second.relocations).toEqual(first.relocations);
        expect(disassemble(first)).not.toContain('unknown');
      }),
      { numRuns: 500 },
    );
  });

  it('names the slot of what has no text', () => {
    const insns = encodeInstructions([{ opcode: 0x30, dst: 0, src: 0, offset: 0, imm: 0 }]);
    expect(() => formatText({ insns, relocations: [] })).toThrow('slot 0: opcode 0x30');
  });
});
