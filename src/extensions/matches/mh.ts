import { conditions, hotdrop, not, payload, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { MH as XT_MH } from '../layouts/extension-headers.ts';
import { given, lowered } from '../options.ts';
import { bytesInRange, transportHeader } from '../transport.ts';
import { mhType } from '../values/mh-type.ts';
import { U8_MAX } from '../values/numbers.ts';
import { withoutIdleRange } from './idle-range.ts';

const HEADER = 6;
const NO_NEXT_HEADER = { min: 59n, max: 59n };

/** The mh match of ip6_tables. */
export const mh: MatchExtension = {
  kind: 'match',
  name: 'mh',
  summary: 'The type of a mobility header.',
  families: ['ipv6'],
  protocols: [135],
  layouts: XT_MH,
  options: [{ name: 'mh-type', value: mhType, syntax: 'type[:type]', invertible: true }],
  normalise: (options) => withoutIdleRange(options, 'mh-type', U8_MAX),
  lower: (options, ctx) =>
    lowered(
      conditions(
        ...transportHeader(ctx.family, HEADER),
        // A mobility header has nothing behind it; what says otherwise is evil.
        hotdrop(not(payload({ base: 'transport', offset: 0, bits: 8 }, [NO_NEXT_HEADER]))),
        require(bytesInRange({ offset: 2, bits: 8 }, given(options, 'mh-type', 'range'))),
      ),
    ),
};
