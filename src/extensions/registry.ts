/** Every match and target there is, and how to find one. */

import type { Family } from '../packet/netfilter.ts';
import type { MatchExtension, TargetExtension } from './contract.ts';
import { addrtype } from './matches/addrtype.ts';
import { ah } from './matches/ah.ts';
import { ah6 } from './matches/ah6.ts';
import { bpf } from './matches/bpf.ts';
import { cgroup } from './matches/cgroup.ts';
import { cluster } from './matches/cluster.ts';
import { comment } from './matches/comment.ts';
import { connbytes } from './matches/connbytes.ts';
import { connlabel } from './matches/connlabel.ts';
import { connlimit } from './matches/connlimit.ts';
import { connmark } from './matches/connmark.ts';
import { conntrack } from './matches/conntrack.ts';
import { cpu } from './matches/cpu.ts';
import { dccp } from './matches/dccp.ts';
import { devgroup } from './matches/devgroup.ts';
import { dscp } from './matches/dscp.ts';
import { ecn } from './matches/ecn.ts';
import { esp } from './matches/esp.ts';
import { eui64 } from './matches/eui64.ts';
import { frag } from './matches/frag.ts';
import { hashlimit } from './matches/hashlimit.ts';
import { helper } from './matches/helper.ts';
import { hl } from './matches/hl.ts';
import { icmp } from './matches/icmp.ts';
import { icmp6 } from './matches/icmp6.ts';
import { ipcomp } from './matches/ipcomp.ts';
import { iprange } from './matches/iprange.ts';
import { ipv6header } from './matches/ipv6header.ts';
import { ipvs } from './matches/ipvs.ts';
import { length } from './matches/length.ts';
import { limit } from './matches/limit.ts';
import { mac } from './matches/mac.ts';
import { mark } from './matches/mark.ts';
import { mh } from './matches/mh.ts';
import { multiport } from './matches/multiport.ts';
import { nfacct } from './matches/nfacct.ts';
import { dst, hbh } from './matches/option-header.ts';
import { osf } from './matches/osf.ts';
import { owner } from './matches/owner.ts';
import { physdev } from './matches/physdev.ts';
import { pkttype } from './matches/pkttype.ts';
import { policy } from './matches/policy.ts';
import { quota } from './matches/quota.ts';
import { rateest } from './matches/rateest.ts';
import { realm } from './matches/realm.ts';
import { recent } from './matches/recent.ts';
import { rpfilter } from './matches/rpfilter.ts';
import { rt } from './matches/rt.ts';
import { sctp } from './matches/sctp.ts';
import { set } from './matches/set.ts';
import { socket } from './matches/socket.ts';
import { srh } from './matches/srh.ts';
import { state } from './matches/state.ts';
import { statistic } from './matches/statistic.ts';
import { string } from './matches/string.ts';
import { tcp } from './matches/tcp.ts';
import { tcpmss } from './matches/tcpmss.ts';
import { time } from './matches/time.ts';
import { tos } from './matches/tos.ts';
import { ttl } from './matches/ttl.ts';
import { u32 } from './matches/u32.ts';
import { udp } from './matches/udp.ts';
import { udplite } from './matches/udplite.ts';
import { audit } from './targets/audit.ts';
import { checksum } from './targets/checksum.ts';
import { classify } from './targets/classify.ts';
import { connmark as connmarkTarget } from './targets/connmark.ts';
import { connsecmark } from './targets/connsecmark.ts';
import { ct } from './targets/ct.ts';
import { dnat } from './targets/dnat.ts';
import { dscp as dscpTarget } from './targets/dscp.ts';
import { ecn as ecnTarget } from './targets/ecn.ts';
import { hl as hlTarget } from './targets/hl.ts';
import { hmark } from './targets/hmark.ts';
import { idletimer } from './targets/idletimer.ts';
import { led } from './targets/led.ts';
import { log } from './targets/log.ts';
import { mark as markTarget } from './targets/mark.ts';
import { masquerade } from './targets/masquerade.ts';
import { netmap } from './targets/netmap.ts';
import { nflog } from './targets/nflog.ts';
import { nfqueue } from './targets/nfqueue.ts';
import { notrack } from './targets/notrack.ts';
import { dnpt, snpt } from './targets/npt.ts';
import { rateest as rateestTarget } from './targets/rateest.ts';
import { redirect } from './targets/redirect.ts';
import { reject } from './targets/reject.ts';
import { secmark } from './targets/secmark.ts';
import { set as setTarget } from './targets/set.ts';
import { snat } from './targets/snat.ts';
import { synproxy } from './targets/synproxy.ts';
import { tcpmss as tcpmssTarget } from './targets/tcpmss.ts';
import { tcpoptstrip } from './targets/tcpoptstrip.ts';
import { tee } from './targets/tee.ts';
import { tos as tosTarget } from './targets/tos.ts';
import { tproxy } from './targets/tproxy.ts';
import { trace } from './targets/trace.ts';
import { ttl as ttlTarget } from './targets/ttl.ts';

/** By name; two that share one are for different families. */
export const MATCHES: readonly MatchExtension[] = Object.freeze([
  addrtype,
  ah,
  ah6,
  bpf,
  cgroup,
  cluster,
  comment,
  connbytes,
  connlabel,
  connlimit,
  connmark,
  conntrack,
  cpu,
  dccp,
  devgroup,
  dscp,
  dst,
  ecn,
  esp,
  eui64,
  frag,
  hashlimit,
  hbh,
  helper,
  hl,
  icmp,
  icmp6,
  ipcomp,
  iprange,
  ipv6header,
  ipvs,
  length,
  limit,
  mac,
  mark,
  mh,
  multiport,
  nfacct,
  osf,
  owner,
  physdev,
  pkttype,
  policy,
  quota,
  rateest,
  realm,
  recent,
  rpfilter,
  rt,
  sctp,
  set,
  socket,
  srh,
  state,
  statistic,
  string,
  tcp,
  tcpmss,
  time,
  tos,
  ttl,
  u32,
  udp,
  udplite,
]);

/** By name. ACCEPT, DROP, RETURN and jumps are no extensions: the rule model has them itself. */
export const TARGETS: readonly TargetExtension[] = Object.freeze([
  audit,
  checksum,
  classify,
  connmarkTarget,
  connsecmark,
  ct,
  dnat,
  dnpt,
  dscpTarget,
  ecnTarget,
  hlTarget,
  hmark,
  idletimer,
  led,
  log,
  markTarget,
  masquerade,
  netmap,
  nflog,
  nfqueue,
  notrack,
  rateestTarget,
  redirect,
  reject,
  secmark,
  setTarget,
  snat,
  snpt,
  synproxy,
  tcpmssTarget,
  tcpoptstrip,
  tee,
  tosTarget,
  tproxy,
  trace,
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
