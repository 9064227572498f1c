import { conditions, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { spis as spisLayouts } from '../layouts/transport.ts';
import { given, lowered } from '../options.ts';
import { bytesInRange, transportHeader } from '../transport.ts';
import { u32Range } from '../values/range.ts';
import { withoutIdleRange } from './idle-range.ts';

const HEADER = 8;
const SPI = { offset: 0, bits: 32 } as const;

/** xt_esp. */
export const esp: MatchExtension = {
  kind: 'match',
  name: 'esp',
  summary: 'Security parameter index of an encapsulating security payload.',
  families: ['ipv4', 'ipv6'],
  protocols: [50],
  layouts: spisLayouts('espspi'),
  options: [{ name: 'espspi', value: u32Range, syntax: 'spi[:spi]', invertible: true }],
  normalise: (options) => withoutIdleRange(options, 'espspi'),
  lower(options, ctx) {
    const asked = bytesInRange(SPI, given(options, 'espspi', 'range'));
    return lowered(conditions(...transportHeader(ctx.family, HEADER), require(asked)));
  },
};
