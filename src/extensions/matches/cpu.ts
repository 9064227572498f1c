import type { MatchExtension } from '../contract.ts';
import { integer } from '../values/integer.ts';
import { U32_MAX } from '../values/numbers.ts';

/** xt_cpu. */
export const cpu: MatchExtension = {
  kind: 'match',
  name: 'cpu',
  summary: 'The processor that handles the packet.',
  families: ['ipv4', 'ipv6'],
  options: [{ name: 'cpu', value: integer(0n, U32_MAX), syntax: 'n', invertible: true, mandatory: true }],
};
