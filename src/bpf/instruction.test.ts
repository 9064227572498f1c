import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeInstructions, encodeInstructions, lddwSlots, lddwValue } from './instruction.ts';

const slot = fc.record({
  opcode: fc.integer({ min: 0, max: 255 }),
  dst: fc.integer({ min: 0, max: 15 }),
  src: fc.integer({ min: 0, max: 15 }),
  offset: fc.integer({ min: -0x8000, max: 0x7fff }),
  imm: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
});

describe('instruction slots', () => {
  it('come back from their bytes unchanged', () => {
    fc.assert(
      fc.property(fc.array(slot), (insns) => {
        expect(decodeInstructions(encodeInstructions(insns))).toEqual(insns);
      }),
    );
  });

  it('carry 64-bit immediates in two halves', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }), (value) => {
        expect(lddwValue(...lddwSlots(1, value))).toBe(value);
      }),
    );
  });

  it('refuse fields that do not fit', () => {
    const insn = { opcode: 0xb7, dst: 0, src: 0, offset: 0, imm: 0 };
    expect(() => encodeInstructions([{ ...insn, offset: 0x8000 }])).toThrow('offset is 32768');
    expect(() => encodeInstructions([{ ...insn, imm: 0xffffffff }])).toThrow('imm is');
    expect(() => decodeInstructions(new Uint8Array(9))).toThrow('9 bytes');
  });
});
