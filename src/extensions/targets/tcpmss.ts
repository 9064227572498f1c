import type { TargetExtension } from '../contract.ts';
import { TCPMSS as XT_TCPMSS } from '../layouts/targets.ts';
import { requireOneOf, without } from '../options.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';
import { brokenHeader, lacksMss } from './tcp-header.ts';

/** The largest MSS that fits an IPv4 packet. */
const MAX_MSS = 65_535n - 20n;

/** xt_TCPMSS. */
export const tcpmss: TargetExtension = {
  kind: 'target',
  name: 'TCPMSS',
  summary: 'Changes the maximum segment size that a SYN announces.',
  notes: ['The kernel wants a `tcp` match with SYN in the same rule; only it checks that.'],
  families: ['ipv4', 'ipv6'],
  protocols: [6],
  effect: (_options, ctx) => ({
    needsSyn: true,
    ends: brokenHeader(ctx.family),
    lengthens: lacksMss(ctx.family),
    writes: ['bytes', 'tcp.options', 'tcp.headerLength', 'transport.length', 'ip.totalLength', 'meta.length'],
  }),
  layouts: XT_TCPMSS,
  options: [
    { name: 'clamp-mss-to-pmtu', value: flag },
    { name: 'set-mss', value: integer(0n, MAX_MSS), syntax: 'bytes' },
  ],
  // Given both, iptables lets the clamp win.
  normalise: (options) => (options['clamp-mss-to-pmtu'] === undefined ? options : without(options, 'set-mss')),
  check: (options, ctx) => requireOneOf('target "TCPMSS"', ['set-mss', 'clamp-mss-to-pmtu'], options, ctx.span),
};
