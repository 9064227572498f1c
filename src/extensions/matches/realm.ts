import { conditions, invertIf, masked, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { REALM as XT_REALM } from '../layouts/packet.ts';
import { always, lowered } from '../options.ts';
import { namedMasked } from '../values/named-masked.ts';

/** xt_realm. */
export const realm: MatchExtension = {
  kind: 'match',
  name: 'realm',
  summary: 'The realm of the route that the packet takes.',
  notes: ['Of the names in `/etc/iproute2/rt_realms` only `cosmos` is known, which is realm 0.'],
  families: ['ipv4'],
  hooks: ['INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  layouts: XT_REALM,
  options: [
    {
      name: 'realm',
      value: namedMasked({ cosmos: 0n }, 'realm'),
      syntax: 'realm[/mask]',
      invertible: true,
      mandatory: true,
    },
  ],
  lower(options) {
    const { value, mask, invert } = always(options, 'realm', 'masked');
    return lowered(conditions(require(invertIf(invert, masked('route.realm', value, mask)))));
  },
};
