import type { MatchExtension, OptionSpec } from '../contract.ts';
import { ICMP6 as XT_ICMP6 } from '../layouts/transport.ts';
import { icmpType } from '../values/icmp-type.ts';
import { lowerIcmp, printIcmp } from './icmp.ts';
import { ICMPV6_NAMES } from './icmp-names.ts';

const TYPE: OptionSpec = {
  name: 'icmpv6-type',
  value: icmpType(ICMPV6_NAMES),
  syntax: 'name or type[/code[:code]]',
  invertible: true,
  mandatory: true,
};

/** The icmp6 match of ip6_tables. Here type 255 is a type like any other. */
export const icmp6: MatchExtension = {
  kind: 'match',
  name: 'icmp6',
  summary: 'Type and code of an ICMPv6 message.',
  notes: ['A range of codes is printed with both ends, as by `icmp`.'],
  families: ['ipv6'],
  protocols: [58],
  layouts: XT_ICMP6,
  options: [TYPE],
  print: (options, ctx) => printIcmp(TYPE, options, ctx),
  lower: (options, ctx) => lowerIcmp(options, TYPE.name, ctx),
};
