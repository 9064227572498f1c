import type { MatchExtension } from '../contract.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';
import { U32_MAX } from '../values/numbers.ts';
import { u32Range } from '../values/range.ts';
import { withoutIdleRange } from './idle-range.ts';

/** ip6t_frag. */
export const frag: MatchExtension = {
  kind: 'match',
  name: 'frag',
  summary: 'The fragment header of IPv6.',
  notes: ['`--fraglen` asks nothing: the header always has eight bytes, and the kernel does not look.'],
  families: ['ipv6'],
  options: [
    { name: 'fragid', value: u32Range, syntax: 'id[:id]', invertible: true },
    { name: 'fraglen', value: integer(0n, U32_MAX), syntax: 'bytes', invertible: true },
    { name: 'fragres', value: flag },
    { name: 'fragfirst', value: flag },
    { name: 'fragmore', value: flag, excludes: ['fraglast'] },
    { name: 'fraglast', value: flag, excludes: ['fragmore'] },
  ],
  normalise: (options) => withoutIdleRange(options, 'fragid'),
};
