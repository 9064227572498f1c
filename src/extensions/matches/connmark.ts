import { conditions, invertIf, masked, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { CONNMARK as XT_CONNMARK } from '../layouts/connection.ts';
import { always, lowered } from '../options.ts';
import { maskedU32 } from '../values/masked.ts';
import { CT_PRESENT } from './ct-state.ts';

/** xt_connmark revision 1: as mark, on ct->mark. Without an entry false, inverted or not. */
export const connmark: MatchExtension = {
  kind: 'match',
  name: 'connmark',
  conntrack: true,
  summary: 'The mark of the connection.',
  notes: ['A packet without a connection does not match, `!` or not.'],
  families: ['ipv4', 'ipv6'],
  layouts: XT_CONNMARK,
  options: [{ name: 'mark', value: maskedU32, syntax: 'value[/mask]', invertible: true, mandatory: true }],
  lower(options) {
    const { value, mask, invert } = always(options, 'mark', 'masked');
    return lowered(conditions(require(CT_PRESENT), require(invertIf(invert, masked('ct.mark', value, mask)))));
  },
};
