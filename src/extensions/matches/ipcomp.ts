import { conditions, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { IPCOMP as XT_IPCOMP } from '../layouts/transport.ts';
import { given, lowered } from '../options.ts';
import { bytesInRange, transportHeader } from '../transport.ts';
import { flag } from '../values/flag.ts';
import { u32Range } from '../values/range.ts';
import { withoutIdleRange } from './idle-range.ts';

const HEADER = 4;
const INDEX = { offset: 2, bits: 16 } as const;

/** xt_ipcomp. */
export const ipcomp: MatchExtension = {
  kind: 'match',
  name: 'ipcomp',
  summary: 'Parameter index of a compressed payload, and its reserved field.',
  notes: [
    'Without `--ipcompspi` every index matches, as iptables-save 1.8.13 prints it; iptables 1.8.9 took it for index 0.',
    'The kernel does not look at `--compres`.',
  ],
  families: ['ipv4', 'ipv6'],
  protocols: [108],
  layouts: XT_IPCOMP,
  options: [
    { name: 'ipcompspi', value: u32Range, syntax: 'index[:index]', invertible: true },
    { name: 'compres', value: flag },
  ],
  normalise: (options) => withoutIdleRange(options, 'ipcompspi'),
  lower(options, ctx) {
    const asked = bytesInRange(INDEX, given(options, 'ipcompspi', 'range'));
    return lowered(conditions(...transportHeader(ctx.family, HEADER), require(asked)));
  },
};
