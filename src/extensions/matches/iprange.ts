import { conditions, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { IPRANGE as XT_IPRANGE } from '../layouts/packet.ts';
import { given, lowered, requireOneOf } from '../options.ts';
import { inRange } from '../transport.ts';
import { addressRange } from '../values/address.ts';

const RANGE = { value: addressRange, syntax: 'address[-address]', invertible: true } as const;

/** xt_iprange revision 1. A range that ends before it begins is legal and holds no address. */
export const iprange: MatchExtension = {
  kind: 'match',
  name: 'iprange',
  summary: 'Source or destination address in a range.',
  families: ['ipv4', 'ipv6'],
  layouts: XT_IPRANGE,
  options: [
    { name: 'src-range', ...RANGE },
    { name: 'dst-range', ...RANGE },
  ],
  check: (options, ctx) => requireOneOf('match "iprange"', ['src-range', 'dst-range'], options, ctx.span),
  lower(options, ctx) {
    const [source, destination] =
      ctx.family === 'ipv4' ? (['ip.saddr', 'ip.daddr'] as const) : (['ip6.saddr', 'ip6.daddr'] as const);
    return lowered(
      conditions(
        require(inRange(source, given(options, 'src-range', 'range'))),
        require(inRange(destination, given(options, 'dst-range', 'range'))),
      ),
    );
  },
};
