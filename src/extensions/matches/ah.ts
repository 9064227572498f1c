import { conditions, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { spis as spisLayouts } from '../layouts/transport.ts';
import { given, lowered } from '../options.ts';
import { bytesInRange, transportHeader } from '../transport.ts';
import { u32Range } from '../values/range.ts';
import { withoutIdleRange } from './idle-range.ts';

/** Bytes of the header without the integrity check value. */
const HEADER = 12;
const SPI = { offset: 4, bits: 32 } as const;

/** ipt_ah. */
export const ah: MatchExtension = {
  kind: 'match',
  name: 'ah',
  summary: 'Security parameter index of an authentication header; for IPv6 also its length and reserved field.',
  families: ['ipv4'],
  protocols: [51],
  layouts: spisLayouts('ahspi'),
  options: [{ name: 'ahspi', value: u32Range, syntax: 'spi[:spi]', invertible: true }],
  normalise: (options) => withoutIdleRange(options, 'ahspi'),
  lower(options, ctx) {
    const asked = bytesInRange(SPI, given(options, 'ahspi', 'range'));
    return lowered(conditions(...transportHeader(ctx.family, HEADER), require(asked)));
  },
};
