import type { TargetExtension } from '../contract.ts';
import { TRACE as XT_TRACE } from '../layouts/rare-targets.ts';

/** xt_TRACE. */
export const trace: TargetExtension = {
  kind: 'target',
  name: 'TRACE',
  summary: 'Has the kernel write every rule to the log that the packet matches from here on.',
  families: ['ipv4', 'ipv6'],
  tables: ['raw'],
  layouts: XT_TRACE,
  options: [],
};
