/** Every match and target there is, and how to find one. */

import type { Family } from '../packet/netfilter.ts';
import type { MatchExtension, TargetExtension } from './contract.ts';
import { addrtype } from './matches/addrtype.ts';
import { comment } from './matches/comment.ts';
import { connmark } from './matches/connmark.ts';
import { conntrack } from './matches/conntrack.ts';
import { hl } from './matches/hl.ts';
import { icmp } from './matches/icmp.ts';
import { icmp6 } from './matches/icmp6.ts';
import { iprange } from './matches/iprange.ts';
import { length } from './matches/length.ts';
import { limit } from './matches/limit.ts';
import { mac } from './matches/mac.ts';
import { mark } from './matches/mark.ts';
import { multiport } from './matches/multiport.ts';
import { owner } from './matches/owner.ts';
import { pkttype } from './matches/pkttype.ts';
import { state } from './matches/state.ts';
import { statistic } from './matches/statistic.ts';
import { tcp } from './matches/tcp.ts';
import { ttl } from './matches/ttl.ts';
import { udp } from './matches/udp.ts';
import { udplite } from './matches/udplite.ts';
import { log } from './targets/log.ts';
import { nflog } from './targets/nflog.ts';
import { reject } from './targets/reject.ts';

/** By name. */
export const MATCHES: readonly MatchExtension[] = Object.freeze([
  addrtype,
  comment,
  connmark,
  conntrack,
  hl,
  icmp,
  icmp6,
  iprange,
  length,
  limit,
  mac,
  mark,
  multiport,
  owner,
  pkttype,
  state,
  statistic,
  tcp,
  ttl,
  udp,
  udplite,
]);

/** By name. ACCEPT, DROP, RETURN and jumps are no extensions: the rule model has them itself. */
export const TARGETS: readonly TargetExtension[] = Object.freeze([log, nflog, reject]);

export function findMatch(name: string, family: Family): MatchExtension | undefined {
  return MATCHES.find((match) => match.name === name && match.families.includes(family));
}

export function findTarget(name: string, family: Family): TargetExtension | undefined {
  return TARGETS.find((target) => target.name === name && target.families.includes(family));
}
