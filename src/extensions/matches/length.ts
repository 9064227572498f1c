import { conditions, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { LENGTH as XT_LENGTH } from '../layouts/transport.ts';
import { always, lowered } from '../options.ts';
import { inRange } from '../transport.ts';
import { u16Range } from '../values/range.ts';

/** xt_length: the IPv4 header's own length field, but skb->len for IPv6. */
export const length: MatchExtension = {
  kind: 'match',
  name: 'length',
  summary: 'Length of the packet from its IP header on, in bytes.',
  families: ['ipv4', 'ipv6'],
  layouts: XT_LENGTH,
  options: [{ name: 'length', value: u16Range, syntax: 'bytes[:bytes]', invertible: true, mandatory: true }],
  lower(options, ctx) {
    const field = ctx.family === 'ipv4' ? 'ip.totalLength' : 'meta.length';
    return lowered(conditions(require(inRange(field, always(options, 'length', 'range')))));
  },
};
