import type { MatchExtension } from '../contract.ts';
import { flag } from '../values/flag.ts';

/** xt_socket revision 3. */
export const socket: MatchExtension = {
  kind: 'match',
  name: 'socket',
  summary: 'There is a local socket for the packet.',
  families: ['ipv4', 'ipv6'],
  hooks: ['PREROUTING', 'INPUT'],
  options: ['transparent', 'nowildcard', 'restore-skmark'].map((name) => ({ name, value: flag })),
};
