import type { TargetExtension } from '../contract.ts';
import { MASQUERADE as XT_MASQUERADE } from '../layouts/nat.ts';
import { natPorts } from '../values/nat-range.ts';
import { checkPorts, RANDOM, RANDOM_FULLY } from './nat.ts';

/** xt_MASQUERADE. */
export const masquerade: TargetExtension = {
  kind: 'target',
  name: 'MASQUERADE',
  summary: 'Changes the source of a connection to the address of the device it leaves by.',
  families: ['ipv4', 'ipv6'],
  tables: ['nat'],
  hooks: ['POSTROUTING'],
  layouts: XT_MASQUERADE,
  options: [{ name: 'to-ports', value: natPorts, syntax: 'port[-port]' }, RANDOM, RANDOM_FULLY],
  check: (options, ctx) => checkPorts('target "MASQUERADE"', 'to-ports', options, ctx),
};
