import type { MatchExtension } from '../contract.ts';
import { flag } from '../values/flag.ts';
import { u32Range } from '../values/range.ts';
import { withoutIdleRange } from './idle-range.ts';

/** xt_ipcomp. */
export const ipcomp: MatchExtension = {
  kind: 'match',
  name: 'ipcomp',
  summary: 'Parameter index of a compressed payload, and its reserved field.',
  notes: [
    'Without `--ipcompspi` every index matches, as iptables-save 1.8.13 prints it; iptables 1.8.9 took it for index 0.',
  ],
  families: ['ipv4', 'ipv6'],
  protocols: [108],
  options: [
    { name: 'ipcompspi', value: u32Range, syntax: 'index[:index]', invertible: true },
    { name: 'compres', value: flag },
  ],
  normalise: (options) => withoutIdleRange(options, 'ipcompspi'),
};
