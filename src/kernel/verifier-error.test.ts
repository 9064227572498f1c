import { expect, it } from 'vitest';
import { summarize, VerifierError } from './verifier-error.ts';

const LOG = `0: R1=ctx() R10=fp0
0: (b7) r0 = 7                        ; R0=7
1: (95) exit
At program exit the register R0 has smin=7 smax=7 should have been in [0, 1]
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`;

it('shows the last useful lines and keeps all', () => {
  const error = new VerifierError('bf_test', 22, LOG);
  expect(error.message).toBe(
    "the kernel's verifier refused program bf_test: 1: (95) exit: At program exit the register R0 has smin=7 smax=7 " +
      'should have been in [0, 1] (3 lines omitted)',
  );
  expect(error.lines).toHaveLength(5);
  expect(error.errno).toBe(22);
});

it('copes with little', () => {
  expect(summarize([])).toBe('without a word');
  expect(summarize(['processed 1 insns (limit 1000000)'])).toBe('processed 1 insns (limit 1000000)');
  expect(summarize(['unknown opcode 3e'])).toBe('unknown opcode 3e');
  expect(summarize(['a', 'b', 'c'])).toBe('b: c (1 line omitted)');
});
