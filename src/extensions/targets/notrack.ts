import type { TargetExtension } from '../contract.ts';
import { NOTRACK as XT_NOTRACK } from '../layouts/targets.ts';

/** The NOTRACK target of xt_CT. */
export const notrack: TargetExtension = {
  kind: 'target',
  name: 'NOTRACK',
  summary: 'The connection of the packet is not tracked, as with `-j CT --notrack`.',
  families: ['ipv4', 'ipv6'],
  effect: { writes: ['ct.'] },
  tables: ['raw'],
  hooks: ['PREROUTING', 'OUTPUT'],
  layouts: XT_NOTRACK,
  options: [],
};
