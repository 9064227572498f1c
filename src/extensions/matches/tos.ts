import type { MatchExtension } from '../contract.ts';
import { tosMask } from '../values/tos.ts';

/** xt_tos revision 1. */
export const tos: MatchExtension = {
  kind: 'match',
  name: 'tos',
  summary: 'The type of service of IPv4, the traffic class of IPv6.',
  families: ['ipv4', 'ipv6'],
  options: [{ name: 'tos', value: tosMask, syntax: 'value[/mask] or name', invertible: true, mandatory: true }],
};
