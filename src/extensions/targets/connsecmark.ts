import type { TargetExtension } from '../contract.ts';
import { CONNSECMARK as XT_CONNSECMARK } from '../layouts/rare-targets.ts';
import { requireOneOf } from '../options.ts';
import { flag } from '../values/flag.ts';

/** xt_CONNSECMARK. */
export const connsecmark: TargetExtension = {
  kind: 'target',
  name: 'CONNSECMARK',
  summary: 'Copies the security mark from the packet to its connection, or back.',
  families: ['ipv4', 'ipv6'],
  effect: {},
  tables: ['mangle', 'security'],
  conntrack: true,
  layouts: XT_CONNSECMARK,
  options: [
    { name: 'save', value: flag, excludes: ['restore'] },
    { name: 'restore', value: flag, excludes: ['save'] },
  ],
  check: (options, ctx) => requireOneOf('target "CONNSECMARK"', ['save', 'restore'], options, ctx.span),
};
