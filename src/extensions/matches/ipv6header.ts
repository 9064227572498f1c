import { require } from '../../policy/expr.ts';
import { HEADER_BITS, type HeaderSetScan } from '../../policy/scan.ts';
import type { MatchExtension } from '../contract.ts';
import { IPV6HEADER as XT_IPV6HEADER } from '../layouts/extension-headers.ts';
import { always, lowered } from '../options.ts';
import { flag } from '../values/flag.ts';
import { headerList } from '../values/header-list.ts';

const ALL_BITS = 255;

/** ip6t_ipv6header. */
export const ipv6header: MatchExtension = {
  kind: 'match',
  name: 'ipv6header',
  summary: 'Which extension headers a packet has: exactly these, or with `--soft` these among others.',
  families: ['ipv6'],
  layouts: XT_IPV6HEADER,
  options: [
    { name: 'header', value: headerList, syntax: 'header,...', invertible: true, mandatory: true },
    { name: 'soft', value: flag },
  ],
  lower(options) {
    const { members, invert } = always(options, 'header', 'set');
    const bits = members.reduce((sum, name) => sum | HEADER_BITS[name as keyof typeof HEADER_BITS], 0);
    const scan: HeaderSetScan =
      options['soft'] === undefined
        ? { kind: 'headerSet', mask: ALL_BITS, value: bits, invert }
        : { kind: 'headerSet', mask: bits, value: invert ? 0 : bits, invert: false };
    return lowered([require(Object.freeze({ kind: 'scan', scan, outcome: 'yes' }))]);
  },
};
