import type { MatchExtension } from '../contract.ts';
import { u32Range } from '../values/range.ts';
import { withoutIdleRange } from './idle-range.ts';

/** ipt_ah. */
export const ah: MatchExtension = {
  kind: 'match',
  name: 'ah',
  summary: 'Security parameter index of an authentication header; for IPv6 also its length and reserved field.',
  families: ['ipv4'],
  protocols: [51],
  options: [{ name: 'ahspi', value: u32Range, syntax: 'spi[:spi]', invertible: true }],
  normalise: (options) => withoutIdleRange(options, 'ahspi'),
};
