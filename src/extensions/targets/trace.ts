import type { TargetExtension } from '../contract.ts';
import { TRACE as XT_TRACE } from '../layouts/rare-targets.ts';
import { cannot } from '../options.ts';

/** xt_TRACE. */
export const trace: TargetExtension = {
  kind: 'target',
  name: 'TRACE',
  summary: 'Has the kernel write every rule to the log that the packet matches from here on.',
  notes: [
    'Every table of the family that has it stays with the kernel: a program cannot write the lines about its rules.',
  ],
  families: ['ipv4', 'ipv6'],
  tables: ['raw'],
  layouts: XT_TRACE,
  options: [],
  lower: () => cannot('the kernel writes the lines about a packet that it marks, and only in tables of its own'),
};
