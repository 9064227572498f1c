import type { MatchExtension } from '../contract.ts';
import { mhType } from '../values/mh-type.ts';
import { U8_MAX } from '../values/numbers.ts';
import { withoutIdleRange } from './idle-range.ts';

/** The mh match of ip6_tables. */
export const mh: MatchExtension = {
  kind: 'match',
  name: 'mh',
  summary: 'The type of a mobility header.',
  families: ['ipv6'],
  protocols: [135],
  options: [{ name: 'mh-type', value: mhType, syntax: 'type[:type]', invertible: true }],
  normalise: (options) => withoutIdleRange(options, 'mh-type', U8_MAX),
};
