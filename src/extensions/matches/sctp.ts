import type { MatchExtension } from '../contract.ts';
import { chunkTypes } from '../values/chunk-types.ts';
import { portRange } from '../values/port.ts';
import { portOptions } from './ports.ts';

/** xt_sctp. */
export const sctp: MatchExtension = {
  kind: 'match',
  name: 'sctp',
  summary: 'Ports of an SCTP header, and the types and flags of the chunks behind it.',
  notes: ['Flags of I_DATA are refused: iptables would store them for another type of chunk, where they ask nothing.'],
  families: ['ipv4', 'ipv6'],
  protocols: [132],
  options: [
    ...portOptions(portRange('sctp')),
    { name: 'chunk-types', value: chunkTypes, syntax: 'all|any|only type[:flags],...', invertible: true },
  ],
};
