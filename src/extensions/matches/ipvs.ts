import type { MatchExtension, OptionSpec } from '../contract.ts';
import { IPVS as XT_IPVS } from '../layouts/packet.ts';
import { requireOneOf, without } from '../options.ts';
import { flag } from '../values/flag.ts';
import { hostMask } from '../values/host-mask.ts';
import { keyword } from '../values/keyword.ts';
import { portNumber } from '../values/port-number.ts';
import { protocolByte } from '../values/protocol.ts';

const OPTIONS: readonly OptionSpec[] = [
  { name: 'ipvs', value: flag, invertible: true },
  { name: 'vproto', value: protocolByte, syntax: 'protocol', invertible: true },
  { name: 'vaddr', value: hostMask, syntax: 'address[/mask]', invertible: true },
  { name: 'vport', value: portNumber, syntax: 'port', invertible: true },
  { name: 'vdir', value: keyword(['ORIGINAL', 'REPLY']), syntax: 'ORIGINAL or REPLY' },
  { name: 'vmethod', value: keyword(['GATE', 'IPIP', 'MASQ']), syntax: 'GATE, IPIP or MASQ', invertible: true },
  { name: 'vportctl', value: portNumber, syntax: 'port', invertible: true },
];

/** xt_ipvs. */
export const ipvs: MatchExtension = {
  kind: 'match',
  name: 'ipvs',
  summary: 'What the load balancer of the kernel (IPVS) knows of a connection.',
  notes: ['Every other option implies `--ipvs`, even inverted; it is printed only when it stands alone.'],
  families: ['ipv4', 'ipv6'],
  conntrack: true,
  layouts: XT_IPVS,
  options: OPTIONS,
  normalise: (options) => (Object.keys(options).length > 1 ? without(options, 'ipvs') : options),
  check: (options, ctx) =>
    requireOneOf(
      'match "ipvs"',
      OPTIONS.map(({ name }) => name),
      options,
      ctx.span,
    ),
};
