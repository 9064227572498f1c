import type { MatchExtension } from '../contract.ts';
import { refuse, requireOneOf } from '../options.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';

const TCP = 6;
const MATCH = 'match "ecn"';

/** xt_ecn. */
export const ecn: MatchExtension = {
  kind: 'match',
  name: 'ecn',
  summary: 'Explicit congestion notification: two flags of the TCP header and two bits of the IP header.',
  notes: ['The two flags need `-p tcp`.'],
  families: ['ipv4', 'ipv6'],
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
};
