import type { MatchExtension } from '../contract.ts';
import { u32Program } from '../values/u32-program.ts';

/** xt_u32. */
export const u32: MatchExtension = {
  kind: 'match',
  name: 'u32',
  summary: 'Four bytes from anywhere in the packet, masked and shifted, are among some numbers.',
  families: ['ipv4', 'ipv6'],
  options: [{ name: 'u32', value: u32Program, syntax: '"tests"', invertible: true, mandatory: true }],
};
