import type { TargetExtension } from '../contract.ts';
import { CHECKSUM as XT_CHECKSUM } from '../layouts/rare-targets.ts';
import { flag } from '../values/flag.ts';

/** xt_CHECKSUM. */
export const checksum: TargetExtension = {
  kind: 'target',
  name: 'CHECKSUM',
  summary: 'Computes a checksum that was left to the hardware.',
  families: ['ipv4', 'ipv6'],
  effect: { writes: ['bytes'] },
  tables: ['mangle'],
  layouts: XT_CHECKSUM,
  options: [{ name: 'checksum-fill', value: flag, mandatory: true }],
};
