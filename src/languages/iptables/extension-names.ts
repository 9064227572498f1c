/** Names of the matches and targets of iptables: what tells one that is not supported yet from a slip of the pen. */

import type { Family } from '../../packet/netfilter.ts';

const MATCHES = {
  both: `addrtype bpf cgroup cluster comment connbytes connlabel connlimit connmark conntrack cpu dccp devgroup dscp ecn
    esp hashlimit helper ipcomp iprange ipvs length limit mac mark multiport nfacct osf owner physdev pkttype policy
    quota rateest recent rpfilter sctp set socket state statistic string tcp tcpmss time tos u32 udp udplite`,
  ipv4: 'ah icmp realm ttl',
  ipv6: 'ah dst eui64 frag hbh hl icmp6 ipv6header mh rt srh',
};
const TARGETS = {
  both: `AUDIT CHECKSUM CLASSIFY CONNMARK CONNSECMARK CT DNAT DSCP HMARK IDLETIMER LED LOG MARK MASQUERADE NETMAP NFLOG
    NFQUEUE NOTRACK RATEEST REDIRECT REJECT SECMARK SET SNAT SYNPROXY TCPMSS TCPOPTSTRIP TEE TOS TPROXY TRACE`,
  ipv4: 'CLUSTERIP ECN TTL ULOG',
  ipv6: 'DNPT HL SNPT',
};

function table(data: Readonly<Record<'both' | Family, string>>): Readonly<Record<Family, ReadonlySet<string>>> {
  const words = (family: Family): ReadonlySet<string> => new Set(`${data.both} ${data[family]}`.split(/\s+/));
  return { ipv4: words('ipv4'), ipv6: words('ipv6') };
}

const matches = table(MATCHES);
const targets = table(TARGETS);

/** iptables (or ip6tables) has a match of this name. */
export function isMatchName(name: string, family: Family): boolean {
  return matches[family].has(name);
}

/** iptables (or ip6tables) has a target of this name; chains cannot be called so with -N. */
export function isTargetName(name: string, family: Family): boolean {
  return targets[family].has(name);
}

/** ICMPv6 goes by three names (xtables_find_match). */
export function matchNameOf(name: string): string {
  if (name === 'icmpv6' || name === 'ipv6-icmp') return 'icmp6';
  return name === 'mobility-header' || name === 'ipv6-mh' ? 'mh' : name;
}
