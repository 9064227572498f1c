import type { Hook } from '../../packet/netfilter.ts';
import { conditions, invertIf, masked, require } from '../../policy/expr.ts';
import type { Condition } from '../../policy/ir.ts';
import type { MatchExtension } from '../contract.ts';
import { DEVGROUP as XT_DEVGROUP } from '../layouts/packet.ts';
import { given, lowered, requireOneOf } from '../options.ts';
import { namedMasked } from '../values/named-masked.ts';

const GROUP = { value: namedMasked({ default: 0n }, 'group'), syntax: 'group[/mask]', invertible: true } as const;
const SOURCE: readonly Hook[] = ['PREROUTING', 'INPUT', 'FORWARD'];
const DESTINATION: readonly Hook[] = ['FORWARD', 'OUTPUT', 'POSTROUTING'];

/** xt_devgroup. */
export const devgroup: MatchExtension = {
  kind: 'match',
  name: 'devgroup',
  summary: 'The group that the device the packet came by, or leaves by, belongs to.',
  notes: ['Of the names in `/etc/iproute2/group` only `default` is known, which is group 0.'],
  families: ['ipv4', 'ipv6'],
  layouts: XT_DEVGROUP,
  options: [
    { name: 'src-group', ...GROUP },
    { name: 'dst-group', ...GROUP },
  ],
  hooksFor(options) {
    if (options['src-group'] === undefined) return DESTINATION;
    return options['dst-group'] === undefined ? SOURCE : SOURCE.filter((hook) => DESTINATION.includes(hook));
  },
  check: (options, ctx) => requireOneOf('match "devgroup"', ['src-group', 'dst-group'], options, ctx.span),
  lower(options) {
    const list: Condition[] = [];
    for (const [name, field] of [
      ['src-group', 'meta.iifgroup'],
      ['dst-group', 'meta.oifgroup'],
    ] as const) {
      const use = given(options, name, 'masked');
      // Bits outside the mask do not matter: the kernel masks the difference.
      if (use !== undefined) list.push(require(invertIf(use.invert, masked(field, use.value & use.mask, use.mask))));
    }
    return lowered(conditions(...list));
  },
};
