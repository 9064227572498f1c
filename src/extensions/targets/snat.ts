import type { TargetExtension } from '../contract.ts';
import { SNAT as XT_SNAT } from '../layouts/nat.ts';
import { natRange } from '../values/nat-range.ts';
import { checkPorts, PERSISTENT, RANDOM, RANDOM_FULLY } from './nat.ts';

/** xt_nat, source. */
export const snat: TargetExtension = {
  kind: 'target',
  name: 'SNAT',
  summary: 'Changes the source of a connection.',
  families: ['ipv4', 'ipv6'],
  tables: ['nat'],
  hooks: ['INPUT', 'POSTROUTING'],
  layouts: XT_SNAT,
  options: [
    { name: 'to-source', value: natRange(), syntax: '[address[-address]][:port[-port]]', mandatory: true },
    RANDOM,
    RANDOM_FULLY,
    PERSISTENT,
  ],
  check: (options, ctx) => checkPorts('target "SNAT"', 'to-source', options, ctx),
};
