import type { TargetExtension } from '../contract.ts';
import { TEE as XT_TEE } from '../layouts/packet.ts';
import { always, given, refuse, without } from '../options.ts';
import { hostAddress } from '../values/host-address.ts';
import { name } from '../values/name.ts';

/** xt_TEE revision 1. */
export const tee: TargetExtension = {
  kind: 'target',
  name: 'TEE',
  summary: 'Sends a copy of the packet to another machine of the network, and goes on.',
  families: ['ipv4', 'ipv6'],
  effect: {},
  layouts: XT_TEE,
  options: [
    { name: 'gateway', value: hostAddress, syntax: 'address', mandatory: true },
    { name: 'oif', value: name(15, { mayBeEmpty: true }), syntax: 'device' },
  ],
  normalise: (options) => (given(options, 'oif', 'text')?.text === '' ? without(options, 'oif') : options),
  check(options, ctx) {
    if (always(options, 'gateway', 'integer').value !== 0n) return [];
    return refuse('target "TEE"', 'the address of the gateway must not be zero', ctx.span);
  },
};
