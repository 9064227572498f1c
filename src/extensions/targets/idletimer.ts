import type { TargetExtension } from '../contract.ts';
import { IDLETIMER as XT_IDLETIMER } from '../layouts/rare-targets.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';
import { name } from '../values/name.ts';

/** In milliseconds the kernel counts with 31 bits. */
const LONGEST = 2_147_482n;

/** xt_IDLETIMER revision 1. */
export const idletimer: TargetExtension = {
  kind: 'target',
  name: 'IDLETIMER',
  summary: 'Tells user space through sysfs when no packet has come for a time.',
  families: ['ipv4', 'ipv6'],
  effect: {},
  layouts: XT_IDLETIMER,
  options: [
    { name: 'timeout', value: integer(1n, LONGEST), syntax: 'seconds', mandatory: true },
    {
      name: 'label',
      value: name(27, { file: true, reserved: ['power', 'subsystem', 'uevent'] }),
      syntax: 'name',
      mandatory: true,
    },
    { name: 'alarm', value: flag },
  ],
};
