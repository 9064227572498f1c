import type { MatchExtension } from '../contract.ts';
import { given, without } from '../options.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';
import { U32_MAX } from '../values/numbers.ts';
import { u32Range } from '../values/range.ts';
import { withoutIdleRange } from './idle-range.ts';

/** ip6t_ah, which looks for the header itself and needs no protocol. */
export const ah6: MatchExtension = {
  kind: 'match',
  name: 'ah',
  summary: 'Security parameter index, length and reserved field of an authentication header.',
  notes: ['`--ahlen 0` asks nothing.'],
  families: ['ipv6'],
  options: [
    { name: 'ahspi', value: u32Range, syntax: 'spi[:spi]', invertible: true },
    { name: 'ahlen', value: integer(0n, U32_MAX), syntax: 'bytes', invertible: true },
    { name: 'ahres', value: flag },
  ],
  normalise(options) {
    const length = given(options, 'ahlen', 'integer');
    const idle = length !== undefined && length.value === 0n && !length.invert;
    return withoutIdleRange(idle ? without(options, 'ahlen') : options, 'ahspi');
  },
};
