import type { TargetExtension } from '../contract.ts';
import { DNAT as XT_DNAT } from '../layouts/nat.ts';
import { natRange } from '../values/nat-range.ts';
import { checkPorts, PERSISTENT, RANDOM } from './nat.ts';

/** xt_nat, destination. */
export const dnat: TargetExtension = {
  kind: 'target',
  name: 'DNAT',
  summary: 'Changes the destination of a connection.',
  families: ['ipv4', 'ipv6'],
  tables: ['nat'],
  hooks: ['PREROUTING', 'OUTPUT'],
  layouts: XT_DNAT,
  options: [
    {
      name: 'to-destination',
      value: natRange({ shifted: true }),
      syntax: '[address[-address]][:port[-port[/base]]]',
      mandatory: true,
    },
    RANDOM,
    PERSISTENT,
  ],
  check: (options, ctx) => checkPorts('target "DNAT"', 'to-destination', options, ctx),
};
