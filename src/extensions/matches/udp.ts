import { conditions, require } from '../../policy/expr.ts';
import type { LowerContext, MatchExtension, OptionMap } from '../contract.ts';
import { UDP as XT_UDP } from '../layouts/transport.ts';
import { givenRange, lowered } from '../options.ts';
import { inRange, transportHeader } from '../transport.ts';
import { portRange } from '../values/port.ts';
import { portOptions, withoutIdlePorts } from './ports.ts';

const UDP_HEADER = 8;

/** udp_mt, which serves UDP and UDP-Lite. */
export function lowerUdp(options: OptionMap, ctx: LowerContext) {
  return lowered(
    conditions(
      ...transportHeader(ctx.family, UDP_HEADER),
      require(inRange('transport.sport', givenRange(options, 'sport'))),
      require(inRange('transport.dport', givenRange(options, 'dport'))),
    ),
  );
}

/** xt_udp: ports. */
export const udp: MatchExtension = {
  kind: 'match',
  name: 'udp',
  summary: 'Ports of a UDP header.',
  families: ['ipv4', 'ipv6'],
  protocols: [17],
  layouts: XT_UDP,
  options: portOptions(portRange('udp')),
  normalise: withoutIdlePorts,
  lower: lowerUdp,
};
