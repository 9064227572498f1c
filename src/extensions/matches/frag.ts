import type { HeaderTest } from '../../policy/scan.ts';
import type { MatchExtension } from '../contract.ts';
import { extensionHeader, headerIs, inHeader } from '../extension-header.ts';
import { FRAG as XT_FRAG } from '../layouts/extension-headers.ts';
import { given, lowered } from '../options.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';
import { U32_MAX } from '../values/numbers.ts';
import { u32Range } from '../values/range.ts';
import { withoutIdleRange } from './idle-range.ts';

/** Second byte of the header, and the word with offset, two reserved bits and the flag "more". */
const RESERVED = { offset: 1, size: 1 } as const;
const OFFSET = { offset: 2, size: 2 } as const;

/** ip6t_frag. */
export const frag: MatchExtension = {
  kind: 'match',
  name: 'frag',
  summary: 'The fragment header of IPv6.',
  notes: ['`--fraglen` asks nothing: the header always has eight bytes, and the kernel does not look.'],
  families: ['ipv6'],
  layouts: XT_FRAG,
  options: [
    { name: 'fragid', value: u32Range, syntax: 'id[:id]', invertible: true },
    { name: 'fraglen', value: integer(0n, U32_MAX), syntax: 'bytes', invertible: true },
    { name: 'fragres', value: flag },
    { name: 'fragfirst', value: flag },
    { name: 'fragmore', value: flag, excludes: ['fraglast'] },
    { name: 'fraglast', value: flag, excludes: ['fragmore'] },
  ],
  normalise: (options) => withoutIdleRange(options, 'fragid'),
  lower(options) {
    const asks = (name: string, ...tests: readonly HeaderTest[]) => (options[name] === undefined ? [] : tests);
    const tests = [
      ...inHeader({ offset: 4, size: 4 }, given(options, 'fragid', 'range')),
      ...asks('fragres', headerIs(RESERVED, 0), headerIs({ ...OFFSET, mask: 6 }, 0)),
      ...asks('fragfirst', headerIs({ ...OFFSET, mask: 0xfff8 }, 0)),
      ...asks('fragmore', headerIs({ ...OFFSET, mask: 1 }, 1)),
      ...asks('fraglast', headerIs({ ...OFFSET, mask: 1 }, 0)),
    ];
    return lowered(extensionHeader({ header: 44, least: 8, unreadable: 'evil', tests }));
  },
};
