import { describe, expect, it } from 'vitest';
import {
  add,
  at,
  atomic,
  call,
  endian,
  exit,
  ja,
  jne,
  jset,
  lddw,
  ldsx,
  ldx,
  mov,
  movStructId,
  movsx,
  neg,
  sdiv,
  st,
  stx,
} from './assembly.ts';
import { assemble } from './builder.ts';
import type { CodeItem } from './code.ts';
import { R0, R1, R2, R3, R6, R10 } from './instruction.ts';

function hex(...code: CodeItem[]): string {
  return Buffer.from(assemble(code).insns)
    .toString('hex')
    .replace(/(.{16})(?=.)/g, '$1 ');
}

// Bytes as the kernel's own encoders (include/linux/filter.h) define them.
const CASES: readonly [name: string, code: CodeItem[], bytes: string][] = [
  ['r0 = 1', [mov.imm(R0, 1)], 'b700000001000000'],
  ['w1 = 0xffffffff', [mov.imm32(R1, 0xffffffff)], 'b4010000ffffffff'],
  ['r1 += r2', [add.reg(R1, R2)], '0f21000000000000'],
  ['w1 += 5', [add.imm32(R1, 5)], '0401000005000000'],
  ['r1 s/= r2', [sdiv.reg(R1, R2)], '3f21010000000000'],
  ['r1 = (s8)r2', [movsx.reg(8, R1, R2)], 'bf21080000000000'],
  ['r3 = -r3', [neg.reg(R3)], '8703000000000000'],
  ['r2 = be16 r2', [endian.toBe(16, R2)], 'dc02000010000000'],
  ['r2 = bswap32 r2', [endian.swap(32, R2)], 'd702000020000000'],
  ['r2 = *(u16 *)(r6 + 2)', [ldx.h(R2, R6, 2)], '6962020000000000'],
  ['r2 = *(s8 *)(r6 - 1)', [ldsx.b(R2, R6, -1)], '9162ffff00000000'],
  ['*(u64 *)(r10 - 8) = r1', [stx.dw(R10, -8, R1)], '7b1af8ff00000000'],
  ['*(u32 *)(r10 - 4) = 7', [st.w(R10, -4, 7)], '620afcff07000000'],
  ['lock *(u64 *)(r1 + 0) += r2', [atomic.add.dw(R1, 0, R2)], 'db21000000000000'],
  ['r0 = cmpxchg64(r1 + 8, r0, r2)', [atomic.cmpxchg.dw(R1, 8, R2)], 'db210800f1000000'],
  ['r1 = 0x1122334455667788', [lddw.imm(R1, 0x1122334455667788n)], '1801000088776655 0000000044332211'],
  ['map value + 16', [lddw.mapValue(R1, 'm', 16)], '1821000000000000 0000000010000000'],
  ['call 5', [call.helper(5)], '8500000005000000'],
  ['if w3 != 6 goto +1', [jne.imm32(R3, 6, 'x'), exit(), at('x')], '5603010006000000 9500000000000000'],
  ['if r3 & r2 goto -1', [at('x'), jset.reg(R3, R2, 'x')], '4d23ffff00000000'],
  ['goto +0', [ja('x'), at('x')], '0500000000000000'],
  ['call local', [call.local('f'), exit(), at('f'), exit()], '8510000001000000 9500000000000000 9500000000000000'],
];

describe('assembly', () => {
  it.each(CASES)('%s', (_name, code, bytes) => {
    expect(hex(...code)).toBe(bytes);
  });

  it('refuses a 64-bit operation whose immediate would change by sign extension', () => {
    expect(() => mov.imm(R0, 0xffffffff)).toThrow('sign extension');
  });

  it('collects relocations with their slots', () => {
    const code = [lddw.map(R1, 'pending'), movStructId(R2, 'iphdr'), call.kfunc('bpf_rdonly_cast'), exit()];
    expect(assemble(code).relocations).toEqual([
      { slot: 0, kind: 'map', map: 'pending' },
      { slot: 2, kind: 'struct', name: 'iphdr' },
      { slot: 3, kind: 'kfunc', name: 'bpf_rdonly_cast' },
    ]);
  });
});
