import { describe, expect, it } from 'vitest';
import { at, call, exit, ja, jeq, mov } from './assembly.ts';
import { assemble } from './builder.ts';
import type { CodeItem } from './code.ts';
import { R0, R1 } from './instruction.ts';
import { removeUnreachable } from './prune.ts';

function sizes(...code: CodeItem[]): [before: number, after: number] {
  return [assemble(code).insns.length / 8, assemble(removeUnreachable(code)).insns.length / 8];
}

describe('removing unreachable code', () => {
  it('takes out what stands behind an exit or a jump', () => {
    expect(sizes(mov.imm(R0, 1), ja('end'), mov.imm(R0, 2), at('end'), exit(), mov.imm(R0, 3), exit())).toEqual([6, 2]);
  });

  it('keeps both ways of a condition', () => {
    expect(sizes(jeq.imm(R1, 0, 'zero'), mov.imm(R0, 1), exit(), at('zero'), mov.imm(R0, 0), exit())).toEqual([5, 5]);
  });

  it('keeps functions that are called, and only those', () => {
    const code = [call.local('used'), exit(), at('unused'), exit(), at('used'), mov.imm(R0, 0), exit()];
    expect(sizes(...code)).toEqual([5, 4]);
  });

  it('keeps loops', () => {
    expect(sizes(at('again'), jeq.imm(R1, 0, 'again'), exit())).toEqual([2, 2]);
  });

  it('leaves out jumps to the next place', () => {
    expect(sizes(mov.imm(R0, 0), ja('a'), at('b'), at('a'), exit())).toEqual([3, 2]);
  });

  it('names a label that nobody placed', () => {
    expect(() => removeUnreachable([ja('nowhere')])).toThrow('"nowhere" is not defined');
  });
});
