import type { MatchExtension } from '../contract.ts';
import { extensionHeader, headerIs, headerLength, inHeader } from '../extension-header.ts';
import { AH6 as XT_AH6 } from '../layouts/extension-headers.ts';
import { given, lowered, without } from '../options.ts';
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
  layouts: XT_AH6,
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
  lower(options) {
    const length = given(options, 'ahlen', 'integer');
    const tests = [
      ...inHeader({ offset: 4, size: 4 }, given(options, 'ahspi', 'range')),
      ...(length?.value === 0n ? [] : headerLength(4, 8, length)),
      ...(options['ahres'] === undefined ? [] : [headerIs({ offset: 2, size: 2 }, 0)]),
    ];
    return lowered(extensionHeader({ header: 51, least: 12, unreadable: 'evil', cut: 'evil', tests }));
  },
};
