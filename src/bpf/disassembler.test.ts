import { expect, it } from 'vitest';
import { disassemble } from './disassembler.ts';
import { encodeInstructions } from './instruction.ts';
import { assembleText } from './text-assembler.ts';

function listing(text: string): string[] {
  const result = assembleText(text);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return disassemble(result.assembled).split('\n');
}

it('prints in the notation of the verifier, with names from relocations', () => {
  const lines = listing(`
    ldxdw %r6, [%r1+8]
    lddw %r1, map bf_events
    lddw %r2, value bf_counters+32
    lock add [%r2], %r6
    lock fetch add32 [%r10-8], %r6
    lock cmpxchg [%r10-8], %r6
    mov32 %r2, struct nf_conn
    call kfunc bpf_rdonly_cast
    call 131
    call local sub
    lddw %r3, func sub
    lddw %r4, 0xffffffffffffffff
    jne %r0, 0, out
    jslt32 %r0, -5, out
    jset %r0, %r1, out
    smod32 %r3, %r4
    arsh %r3, 7
    neg %r3
    movsx1664 %r3, %r4
    be16 %r3
    bswap64 %r3
    sth [%r10-2], 5
    stxb [%r10-1], %r3
    ldxsb %r3, [%r10-1]
    ja32 out
    out: exit
    sub: mov %r0, 0
    exit`);
  expect(lines.map((line) => line.replace(/^ *(\d+: \(..\) )?/, ''))).toEqual([
    'r6 = *(u64 *)(r1 +8)',
    'r1 = map[bf_events]',
    'r2 = map[bf_counters].value+32',
    'lock *(u64 *)(r2 +0) += r6',
    'r6 = atomic_fetch_add((u32 *)(r10 -8), r6)',
    'r0 = atomic64_cmpxchg((u64 *)(r10 -8), r0, r6)',
    'w2 = id of struct nf_conn',
    'call kfunc bpf_rdonly_cast',
    'call ringbuf_reserve#131',
    'call func1',
    'r3 = func[func1]',
    'r4 = 0xffffffffffffffff',
    'if r0 != 0x0 goto L1',
    'if w0 s< -5 goto L1',
    'if r0 & r1 goto L1',
    'w3 s%= w4',
    'r3 s>>= 7',
    'r3 = -r3',
    'r3 = (s16)r4',
    'r3 = be16 r3',
    'r3 = bswap64 r3',
    '*(u16 *)(r10 -2) = 5',
    '*(u8 *)(r10 -1) = r3',
    'r3 = *(s8 *)(r10 -1)',
    'gotol L1',
    'L1:',
    'exit',
    'func1:',
    'r0 = 0',
    'exit',
  ]);
  expect(lines[0]).toBe('    0: (79) r6 = *(u64 *)(r1 +8)');
  expect(lines[2]).toBe('    3: (18) r2 = map[bf_counters].value+32');
});

it('prints what it does not know', () => {
  const insns = encodeInstructions([
    { opcode: 0x30, dst: 0, src: 1, offset: 2, imm: 3 },
    { opcode: 0x05, dst: 0, src: 0, offset: 9, imm: 0 },
    { opcode: 0xe5, dst: 0, src: 0, offset: 0, imm: 0 },
    { opcode: 0x18, dst: 1, src: 0, offset: 0, imm: 1 },
  ]);
  expect(disassemble({ insns, relocations: [] }).split('\n')).toEqual([
    '    0: (30) unknown: dst r0 src r1 off 2 imm 3',
    '    1: (05) goto pc+9',
    '    2: (e5) unknown: dst r0 src r0 off 0 imm 0',
    '    3: (18) unknown: dst r1 src r0 off 0 imm 1',
  ]);
});
