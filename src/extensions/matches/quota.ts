import type { MatchExtension } from '../contract.ts';
import { integer } from '../values/integer.ts';
import { U64_MAX } from '../values/numbers.ts';

/** xt_quota. */
export const quota: MatchExtension = {
  kind: 'match',
  name: 'quota',
  summary: 'Matches until a number of bytes has passed, and never again.',
  families: ['ipv4', 'ipv6'],
  options: [{ name: 'quota', value: integer(0n, U64_MAX), syntax: 'bytes', invertible: true, mandatory: true }],
};
