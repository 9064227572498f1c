import type { MatchExtension } from '../contract.ts';
import { u16Range } from '../values/range.ts';

/** xt_tcpmss. */
export const tcpmss: MatchExtension = {
  kind: 'match',
  name: 'tcpmss',
  summary: 'The maximum segment size that a TCP header announces.',
  families: ['ipv4', 'ipv6'],
  protocols: [6],
  options: [{ name: 'mss', value: u16Range, syntax: 'bytes[:bytes]', invertible: true, mandatory: true }],
};
