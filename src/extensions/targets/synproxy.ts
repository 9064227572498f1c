import type { TargetExtension } from '../contract.ts';
import { SYNPROXY as XT_SYNPROXY } from '../layouts/rare-targets.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';
import { U8_MAX, U16_MAX } from '../values/numbers.ts';

/** ipt_SYNPROXY and ip6t_SYNPROXY. */
export const synproxy: TargetExtension = {
  kind: 'target',
  name: 'SYNPROXY',
  summary: 'Answers for a server until a connection is proven not to be a flood of SYNs.',
  notes: [
    'Stays with the kernel: of the packets that are neither SYN nor ACK alone it drops those with a wrong checksum and lets the others go on, and rules behind it count only these.',
  ],
  families: ['ipv4', 'ipv6'],
  effect: { refused: 'it lets some packets go on to the next rule, by their flags and checksum' },
  protocols: [6],
  hooks: ['INPUT', 'FORWARD'],
  conntrack: true,
  layouts: XT_SYNPROXY,
  options: [
    { name: 'sack-perm', value: flag },
    { name: 'timestamp', value: flag },
    { name: 'wscale', value: integer(0n, U8_MAX), syntax: 'n' },
    { name: 'mss', value: integer(0n, U16_MAX), syntax: 'bytes' },
    { name: 'ecn', value: flag },
  ],
};
