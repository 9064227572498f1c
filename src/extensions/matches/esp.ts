import type { MatchExtension } from '../contract.ts';
import { u32Range } from '../values/range.ts';
import { withoutIdleRange } from './idle-range.ts';

/** xt_esp. */
export const esp: MatchExtension = {
  kind: 'match',
  name: 'esp',
  summary: 'Security parameter index of an encapsulating security payload.',
  families: ['ipv4', 'ipv6'],
  protocols: [50],
  options: [{ name: 'espspi', value: u32Range, syntax: 'spi[:spi]', invertible: true }],
  normalise: (options) => withoutIdleRange(options, 'espspi'),
};
