import { anyBit, between, conditions, fieldMax, invertIf, require } from '../../policy/expr.ts';
import type { Condition } from '../../policy/ir.ts';
import type { MatchExtension, OptionMap } from '../contract.ts';
import { ECN as XT_ECN } from '../layouts/transport.ts';
import { given, lowered, refuse, requireOneOf } from '../options.ts';
import { trafficClass } from '../traffic-class.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';

const TCP = 6;
const TCP_HEADER = 20;
/** Flags by option, as they lie in byte 13 of the TCP header. */
const FLAGS = { 'ecn-tcp-ece': 0x40, 'ecn-tcp-cwr': 0x80 } as const;
const MATCH = 'match "ecn"';

/** xt_ecn. */
export const ecn: MatchExtension = {
  kind: 'match',
  name: 'ecn',
  summary: 'Explicit congestion notification: two flags of the TCP header and two bits of the IP header.',
  notes: [
    'The two flags need `-p tcp`.',
    'Of a later fragment the flags are read from where a TCP header would be; where there are fewer than 20 bytes, nothing matches.',
  ],
  families: ['ipv4', 'ipv6'],
  layouts: XT_ECN,
  options: [
    { name: 'ecn-tcp-ece', value: flag, invertible: true },
    { name: 'ecn-tcp-cwr', value: flag, invertible: true },
    { name: 'ecn-ip-ect', value: integer(0n, 3n), syntax: '0...3', invertible: true },
  ],
  check(options, ctx) {
    const { protocol } = ctx.ip;
    const isTcp = protocol !== undefined && protocol.value === TCP && !protocol.invert;
    const wantsTcp = options['ecn-tcp-ece'] !== undefined || options['ecn-tcp-cwr'] !== undefined;
    if (wantsTcp && !isTcp) return refuse(MATCH, '--ecn-tcp-ece and --ecn-tcp-cwr need -p tcp', ctx.span);
    return requireOneOf(MATCH, ['ecn-tcp-ece', 'ecn-tcp-cwr', 'ecn-ip-ect'], options, ctx.span);
  },
  lower(options, ctx) {
    const ect = given(options, 'ecn-ip-ect', 'integer');
    const ip = ect === undefined ? [] : [require(invertIf(ect.invert, trafficClass(ctx.family, ect.value, 3n)))];
    return lowered(conditions(...ip, ...flagConditions(options)));
  },
};

function flagConditions(options: OptionMap): readonly Condition[] {
  const flags = Object.entries(FLAGS).flatMap(([name, bit]) => {
    const asked = given(options, name, 'flag');
    return asked === undefined ? [] : [require(invertIf(asked.invert, anyBit('tcp.flags', bit)))];
  });
  const header = require(between('transport.length', TCP_HEADER, fieldMax('transport.length')));
  return flags.length === 0 ? [] : [header, ...flags];
}
