import type { TargetExtension } from '../contract.ts';
import { SECMARK as XT_SECMARK } from '../layouts/rare-targets.ts';
import { name } from '../values/name.ts';

/** xt_SECMARK. SECMARK_SECCTX_MAX is 256. */
export const secmark: TargetExtension = {
  kind: 'target',
  name: 'SECMARK',
  summary: 'Sets the security mark of the packet.',
  notes: ['Whether the security module knows the context is only known when the rule is loaded.'],
  families: ['ipv4', 'ipv6'],
  effect: {},
  tables: ['mangle', 'security'],
  layouts: XT_SECMARK,
  options: [{ name: 'selctx', value: name(255, { whole: true }), syntax: 'context', mandatory: true }],
};
