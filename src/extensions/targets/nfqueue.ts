import type { TargetExtension } from '../contract.ts';
import { NFQUEUE as XT_NFQUEUE } from '../layouts/targets.ts';
import { withOption } from '../options.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';
import { U16_MAX } from '../values/numbers.ts';
import { queueRange } from '../values/queue-range.ts';

/** xt_NFQUEUE revision 3. */
export const nfqueue: TargetExtension = {
  kind: 'target',
  name: 'NFQUEUE',
  summary: 'Lets a program in user space decide.',
  families: ['ipv4', 'ipv6'],
  effect: { terminal: true },
  layouts: XT_NFQUEUE,
  options: [
    { name: 'queue-num', value: integer(0n, U16_MAX), syntax: 'n', excludes: ['queue-balance'] },
    { name: 'queue-balance', value: queueRange, syntax: 'n:n', excludes: ['queue-num'] },
    { name: 'queue-bypass', value: flag },
    { name: 'queue-cpu-fanout', value: flag, requires: ['queue-balance'] },
  ],
  normalise(options) {
    if (options['queue-num'] !== undefined || options['queue-balance'] !== undefined) return options;
    return withOption(options, 'queue-num', { kind: 'integer', value: 0n });
  },
};
