import type { TargetExtension } from '../contract.ts';
import { AUDIT as XT_AUDIT } from '../layouts/rare-targets.ts';
import { keyword } from '../values/keyword.ts';

/** xt_AUDIT. */
export const audit: TargetExtension = {
  kind: 'target',
  name: 'AUDIT',
  summary: 'Writes the packet to the audit log, and goes on.',
  families: ['ipv4', 'ipv6'],
  effect: {},
  layouts: XT_AUDIT,
  options: [
    {
      name: 'type',
      value: keyword(['accept', 'drop', 'reject'], { ignoreCase: true }),
      syntax: 'accept, drop or reject',
      mandatory: true,
    },
  ],
};
