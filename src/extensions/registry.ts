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
import { checksum } from './targets/checksum.ts';
import { classify } from './targets/classify.ts';
import { connmark as connmarkTarget } from './targets/connmark.ts';
import { ct } from './targets/ct.ts';
import { dnat } from './targets/dnat.ts';
import { dscp } from './targets/dscp.ts';
import { hl as hlTarget } from './targets/hl.ts';
import { log } from './targets/log.ts';
import { mark as markTarget } from './targets/mark.ts';
import { masquerade } from './targets/masquerade.ts';
import { netmap } from './targets/netmap.ts';
import { nflog } from './targets/nflog.ts';
import { nfqueue } from './targets/nfqueue.ts';
import { redirect } from './targets/redirect.ts';
import { reject } from './targets/reject.ts';
import { snat } from './targets/snat.ts';
import { tcpmss } from './targets/tcpmss.ts';
import { tos } from './targets/tos.ts';
import { tproxy } from './targets/tproxy.ts';
import { ttl as ttlTarget } from './targets/ttl.ts';

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
export const TARGETS: readonly TargetExtension[] = Object.freeze([
  checksum,
  classify,
  connmarkTarget,
  ct,
  dnat,
  dscp,
  hlTarget,
  log,
  markTarget,
  masquerade,
  netmap,
  nflog,
  nfqueue,
  redirect,
  reject,
  snat,
  tcpmss,
  tos,
  tproxy,
  ttlTarget,
]);

const matchIndex = indexByFamily(MATCHES);
const targetIndex = indexByFamily(TARGETS);

export function findMatch(name: string, family: Family): MatchExtension | undefined {
  return matchIndex[family].get(name);
}

export function findTarget(name: string, family: Family): TargetExtension | undefined {
  return targetIndex[family].get(name);
}

function indexByFamily<T extends MatchExtension | TargetExtension>(
  extensions: readonly T[],
): Readonly<Record<Family, ReadonlyMap<string, T>>> {
  const index = (family: Family): ReadonlyMap<string, T> =>
    new Map(extensions.filter((item) => item.families.includes(family)).map((item) => [item.name, item]));
  return { ipv4: index('ipv4'), ipv6: index('ipv6') };
}
