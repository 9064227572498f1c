import type { MatchExtension } from '../contract.ts';
import { flag } from '../values/flag.ts';
import { headerList } from '../values/header-list.ts';

/** ip6t_ipv6header. */
export const ipv6header: MatchExtension = {
  kind: 'match',
  name: 'ipv6header',
  summary: 'Which extension headers a packet has: exactly these, or with `--soft` these among others.',
  families: ['ipv6'],
  options: [
    { name: 'header', value: headerList, syntax: 'header,...', invertible: true, mandatory: true },
    { name: 'soft', value: flag },
  ],
};
