import type { MatchExtension } from '../contract.ts';
import { EUI64 as XT_EUI64 } from '../layouts/packet.ts';
import { cannot } from '../options.ts';

/** ip6t_eui64. */
export const eui64: MatchExtension = {
  kind: 'match',
  name: 'eui64',
  summary: 'The source address was made of the Ethernet address of the sender.',
  families: ['ipv6'],
  hooks: ['PREROUTING', 'INPUT', 'FORWARD'],
  layouts: XT_EUI64,
  options: [],
  lower: () =>
    cannot(
      'without an Ethernet header it drops later fragments, or not, as the rules before it have asked for a protocol',
    ),
};
