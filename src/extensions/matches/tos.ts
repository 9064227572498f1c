import { conditions, invertIf, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { TOS as XT_TOS } from '../layouts/packet.ts';
import { always, lowered } from '../options.ts';
import { trafficClass } from '../traffic-class.ts';
import { tosMask } from '../values/tos.ts';

/** xt_tos revision 1. */
export const tos: MatchExtension = {
  kind: 'match',
  name: 'tos',
  summary: 'The type of service of IPv4, the traffic class of IPv6.',
  families: ['ipv4', 'ipv6'],
  layouts: XT_TOS,
  options: [{ name: 'tos', value: tosMask, syntax: 'value[/mask] or name', invertible: true, mandatory: true }],
  lower(options, ctx) {
    const { value, mask, invert } = always(options, 'tos', 'masked');
    return lowered(conditions(require(invertIf(invert, trafficClass(ctx.family, value, mask)))));
  },
};
