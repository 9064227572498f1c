import type { TargetExtension } from '../contract.ts';
import { NETMAP as XT_NETMAP } from '../layouts/nat.ts';
import { network } from '../values/network.ts';

/** xt_NETMAP. */
export const netmap: TargetExtension = {
  kind: 'target',
  name: 'NETMAP',
  summary: 'Maps a whole network to another, address by address.',
  families: ['ipv4', 'ipv6'],
  tables: ['nat'],
  hooks: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  layouts: XT_NETMAP,
  options: [{ name: 'to', value: network, syntax: 'address[/prefix]', mandatory: true }],
};
