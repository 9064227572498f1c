import { conditions, invertIf, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { U32 as XT_U32 } from '../layouts/programs.ts';
import { always, cannot, lowered } from '../options.ts';
import { u32Program as lowerProgram } from '../u32-lowering.ts';
import { readU32, u32Program } from '../values/u32-program.ts';

/** xt_u32. */
export const u32: MatchExtension = {
  kind: 'match',
  name: 'u32',
  summary: 'Four bytes from anywhere in the packet, masked and shifted, are among some numbers.',
  families: ['ipv4', 'ipv6'],
  notes: ['A test that reads behind the end of the packet does not hold; inverted, the match then holds.'],
  layouts: XT_U32,
  options: [{ name: 'u32', value: u32Program, syntax: '"tests"', invertible: true, mandatory: true }],
  lower(options) {
    const { text, invert } = always(options, 'u32', 'text');
    const tests = readU32(text);
    if (typeof tests === 'string') return cannot(tests);
    return lowered(conditions(require(invertIf(invert, lowerProgram(tests)))));
  },
};
