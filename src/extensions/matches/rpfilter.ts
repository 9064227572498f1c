import type { MatchExtension } from '../contract.ts';
import { RPFILTER as XT_RPFILTER } from '../layouts/packet.ts';
import { cannot } from '../options.ts';
import { flag } from '../values/flag.ts';

/** ipt_rpfilter and ip6t_rpfilter. */
export const rpfilter: MatchExtension = {
  kind: 'match',
  name: 'rpfilter',
  summary: 'A packet to the source would leave by the device that the packet came by.',
  families: ['ipv4', 'ipv6'],
  tables: ['raw', 'mangle'],
  hooks: ['PREROUTING'],
  layouts: XT_RPFILTER,
  options: ['loose', 'validmark', 'accept-local', 'invert'].map((name) => ({ name, value: flag })),
  // nftables' fib comes close, but takes broadcast sources for good (IPv4) and does not bind its look-up to the device (IPv6).
  lower: () => cannot('the kernel answers it only from its own tables raw and mangle'),
};
