import { describe, expect, it } from 'vitest';
import { at, exit, ja, jeq, jset, mov } from './assembly.ts';
import { assemble, buildProgram } from './builder.ts';
import type { CodeItem } from './code.ts';
import { decodeInstructions, R0, R1 } from './instruction.ts';

function filler(count: number): CodeItem[] {
  return Array.from({ length: count }, () => mov.imm(R0, 0));
}

describe('builder', () => {
  it('keeps a jump of 16,383 slots short', () => {
    const { insns, usesGotol } = assemble([ja('end'), ...filler(0x3fff), at('end'), exit()]);
    expect(usesGotol).toBe(false);
    expect(decodeInstructions(insns)[0]).toMatchObject({ opcode: 0x05, offset: 0x3fff });
  });

  it('makes a longer one a gotol', () => {
    const { insns, usesGotol } = assemble([ja('end'), ...filler(0x4000), at('end'), exit()]);
    expect(usesGotol).toBe(true);
    expect(decodeInstructions(insns)[0]).toMatchObject({ opcode: 0x06, offset: 0, imm: 0x4000 });
  });

  it('turns a far condition round and jumps over a gotol', () => {
    const { insns, labels } = assemble([jeq.imm(R1, 7, 'end'), ...filler(40000), at('end'), exit()]);
    const [first, second] = decodeInstructions(insns);
    expect(first).toMatchObject({ opcode: 0x55, dst: 1, offset: 1, imm: 7 });
    expect(second).toMatchObject({ opcode: 0x06, imm: 40000 });
    expect(labels.get('end')).toBe(40002);
  });

  it('spells out a far jset, which has no opposite', () => {
    const { insns } = assemble([at('start'), ...filler(40000), jset.imm(R1, 2, 'start'), exit()]);
    expect(decodeInstructions(insns).slice(40000, 40003)).toMatchObject([
      { opcode: 0x45, offset: 1, imm: 2 },
      { opcode: 0x05, offset: 1 },
      { opcode: 0x06, imm: -40003 },
    ]);
  });

  it('lets a jump that grows push another one out of reach', () => {
    // `b` is 16,383 slots away only as long as the jump to `a` between them takes one slot.
    const code = [ja('b'), jeq.imm(R1, 0, 'a'), ...filler(0x3ffe), at('b'), ...filler(10), at('a'), exit()];
    const { insns, labels } = assemble(code);
    const [first] = decodeInstructions(insns);
    expect(first).toMatchObject({ opcode: 0x06, imm: 0x4000 });
    expect(labels.get('b')).toBe(0x4001);
  });

  it('names labels that are missing or doubled', () => {
    expect(() => assemble([ja('nowhere')])).toThrow('"nowhere" is not defined');
    expect(() => assemble([at('x'), at('x')])).toThrow('"x" is defined twice');
  });

  it('refuses program names that the kernel would refuse', () => {
    expect(() => buildProgram('name with spaces', 'netfilter', [exit()])).toThrow('not valid');
    expect(buildProgram('bf_test', 'netfilter', [exit()]).insns).toHaveLength(8);
  });
});
