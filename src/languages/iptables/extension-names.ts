/** Names of matches and targets beyond the registry: other names, and what Linux no longer has. */

import { findTarget } from '../../extensions/registry.ts';
import type { Family } from '../../packet/netfilter.ts';

/** Targets that iptables still has a library for, but no kernel of today has; with the answer to "what instead?". */
const REMOVED: Readonly<Record<string, string>> = {
  CLUSTERIP: 'the match "cluster" takes its place',
  ULOG: 'NFLOG takes its place',
};

/** Why a target of IPv4 can no longer be used, if it was one. */
export function removedTarget(name: string, family: Family): string | undefined {
  return family === 'ipv4' && Object.hasOwn(REMOVED, name) ? REMOVED[name] : undefined;
}

/** iptables (or ip6tables) has a target of this name; chains cannot be called so with -N. */
export function isTargetName(name: string, family: Family): boolean {
  return findTarget(name, family) !== undefined || removedTarget(name, family) !== undefined;
}

/** ICMPv6 and the mobility header go by several names (xtables_find_match). */
export function matchNameOf(name: string): string {
  if (name === 'icmpv6' || name === 'ipv6-icmp') return 'icmp6';
  return name === 'mobility-header' || name === 'ipv6-mh' ? 'mh' : name;
}
