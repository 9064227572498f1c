import type { TargetExtension } from '../contract.ts';
import { CLASSIFY as XT_CLASSIFY } from '../layouts/rare-targets.ts';
import { classId } from '../values/class-id.ts';

/** xt_CLASSIFY. */
export const classify: TargetExtension = {
  kind: 'target',
  name: 'CLASSIFY',
  summary: 'Puts the packet into a class of traffic control.',
  families: ['ipv4', 'ipv6'],
  effect: {},
  hooks: ['FORWARD', 'OUTPUT', 'POSTROUTING'],
  layouts: XT_CLASSIFY,
  options: [{ name: 'set-class', value: classId, syntax: 'major:minor', mandatory: true }],
};
