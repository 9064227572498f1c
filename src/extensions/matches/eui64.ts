import { conditions, equals, hotdrop, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { EUI64 as XT_EUI64 } from '../layouts/packet.ts';
import { lowered } from '../options.ts';

/** Values of the field mac.eui64. */
const [MADE_OF_IT, NO_HEADER] = [1, 2];

/** ip6t_eui64. */
export const eui64: MatchExtension = {
  kind: 'match',
  name: 'eui64',
  summary: 'The source address was made of the Ethernet address of the sender.',
  notes: [
    'As in Linux 6.18: it never matches what did not come by an Ethernet, and drops what should have an Ethernet header and has none.',
  ],
  families: ['ipv6'],
  hooks: ['PREROUTING', 'INPUT', 'FORWARD'],
  layouts: XT_EUI64,
  options: [],
  lower: () => lowered(conditions(hotdrop(equals('mac.eui64', NO_HEADER)), require(equals('mac.eui64', MADE_OF_IT)))),
};
