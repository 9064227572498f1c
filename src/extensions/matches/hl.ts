import type { MatchExtension } from '../contract.ts';
import { hops as hopsLayouts } from '../layouts/packet.ts';
import { requireOneOf } from '../options.ts';
import { hopOptions, lowerHops } from './ttl.ts';

/** xt_hl under its IPv6 name. */
export const hl: MatchExtension = {
  kind: 'match',
  name: 'hl',
  summary: 'Hop limit of an IPv6 packet.',
  families: ['ipv6'],
  layouts: hopsLayouts('hl'),
  options: hopOptions('hl'),
  check: (options, ctx) => requireOneOf('match "hl"', ['hl-eq', 'hl-lt', 'hl-gt'], options, ctx.span),
  lower: (options) => lowerHops(options, 'hl', 'ip6.hopLimit'),
};
