import type { MatchExtension } from '../contract.ts';
import { text } from '../values/text.ts';

/** xt_helper. An empty name matches every connection that has a helper. */
export const helper: MatchExtension = {
  kind: 'match',
  name: 'helper',
  summary: 'The connection belongs to another one that a helper of connection tracking watches.',
  families: ['ipv4', 'ipv6'],
  conntrack: true,
  options: [
    {
      name: 'helper',
      value: text(29, { truncate: true }),
      syntax: 'name of up to 29 bytes',
      invertible: true,
      mandatory: true,
    },
  ],
};
