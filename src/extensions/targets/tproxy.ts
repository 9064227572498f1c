import type { TargetExtension } from '../contract.ts';
import { TPROXY as XT_TPROXY } from '../layouts/rare-targets.ts';
import { hostAddress } from '../values/host-address.ts';
import { masked } from '../values/masked.ts';
import { U32_MAX } from '../values/numbers.ts';
import { portNumber } from '../values/port-number.ts';

/** xt_TPROXY revision 1. */
export const tproxy: TargetExtension = {
  kind: 'target',
  name: 'TPROXY',
  summary: 'Hands a packet to a local socket without changing it.',
  families: ['ipv4', 'ipv6'],
  effect: { terminal: true, needsProtocol: true },
  tables: ['mangle'],
  hooks: ['PREROUTING'],
  protocols: [6, 17],
  layouts: XT_TPROXY,
  options: [
    { name: 'on-port', value: portNumber, syntax: 'port', mandatory: true },
    { name: 'on-ip', value: hostAddress, syntax: 'address', default: { kind: 'integer', value: 0n } },
    {
      name: 'tproxy-mark',
      value: masked(U32_MAX, { always: true }),
      syntax: 'value[/mask]',
      default: { kind: 'masked', value: 0n, mask: 0n },
    },
  ],
};
