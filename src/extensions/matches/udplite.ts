import type { MatchExtension } from '../contract.ts';
import { UDP as XT_UDP } from '../layouts/transport.ts';
import { portRange } from '../values/port.ts';
import { portOptions, withoutIdlePorts } from './ports.ts';
import { lowerUdp } from './udp.ts';

/** The kernel's own udplite match, which iptables' user space has no syntax for; ours is that of udp. */
export const udplite: MatchExtension = {
  kind: 'match',
  name: 'udplite',
  summary: 'Ports of a UDP-Lite header; the kernel has this match, but iptables has no syntax of its own for it.',
  families: ['ipv4', 'ipv6'],
  protocols: [136],
  layouts: XT_UDP,
  options: portOptions(portRange()),
  normalise: withoutIdlePorts,
  lower: lowerUdp,
};
