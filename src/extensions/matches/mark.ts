import { conditions, invertIf, masked, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { MARK as XT_MARK } from '../layouts/packet.ts';
import { always, lowered } from '../options.ts';
import { maskedU32 } from '../values/masked.ts';

/** xt_mark revision 1: (skb->mark & mask) == mark. A mark with bits outside the mask never matches. */
export const mark: MatchExtension = {
  kind: 'match',
  name: 'mark',
  summary: 'The mark of the packet.',
  families: ['ipv4', 'ipv6'],
  layouts: XT_MARK,
  options: [{ name: 'mark', value: maskedU32, syntax: 'value[/mask]', invertible: true, mandatory: true }],
  lower(options) {
    const { value, mask, invert } = always(options, 'mark', 'masked');
    return lowered(conditions(require(invertIf(invert, masked('meta.mark', value, mask)))));
  },
};
