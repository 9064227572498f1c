import type { Family } from '../../packet/netfilter.ts';
import { all, any, conditions, equals, FALSE, invertIf, masked, not, require, TRUE } from '../../policy/expr.ts';
import type { Expr } from '../../policy/ir.ts';
import type { MatchExtension } from '../contract.ts';
import { PKTTYPE as XT_PKTTYPE } from '../layouts/packet.ts';
import { always, lowered } from '../options.ts';
import { choice } from '../values/choice.ts';

/** PACKET_* of if_packet.h; the first name of a number is the one that is printed. */
const BROADCAST = 1n;
const MULTICAST = 2n;
const LOOPBACK = 5n;
const types = choice(
  { unicast: 0, broadcast: 1, multicast: 2, otherhost: 3, bcast: 1, mcast: 2, host: 0 },
  { what: 'packet type', ignoreCase: true },
);

/** xt_pkttype. */
export const pkttype: MatchExtension = {
  kind: 'match',
  name: 'pkttype',
  summary: 'How the packet was addressed on the link.',
  families: ['ipv4', 'ipv6'],
  layouts: XT_PKTTYPE,
  options: [
    {
      name: 'pkt-type',
      value: types,
      syntax: 'unicast, broadcast, multicast or otherhost',
      invertible: true,
      mandatory: true,
    },
  ],
  lower(options, ctx) {
    const { value, invert } = always(options, 'pkt-type', 'integer');
    const loopback = all(equals('meta.pkttype', LOOPBACK), countsAs(value, ctx.family));
    return lowered(conditions(require(invertIf(invert, any(equals('meta.pkttype', value), loopback)))));
  },
};

/** What a packet that was looped back to its sender counts as: multicast by its IPv4 address or in IPv6, else broadcast. */
function countsAs(type: bigint, family: Family): Expr {
  const multicast = family === 'ipv6' ? TRUE : masked('ip.daddr', 0xe000_0000, 0xf000_0000);
  if (type === MULTICAST) return multicast;
  return type === BROADCAST ? not(multicast) : FALSE;
}
