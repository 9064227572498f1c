/** The types of addresses that addrtype tells apart, and what can be asked about them without a look-up. */

import type { Family } from '../../packet/netfilter.ts';
import { all, any, between, equals, FALSE, masked, not, TRUE } from '../../policy/expr.ts';
import type { Expr } from '../../policy/ir.ts';

/** In the order of their numbers (RTN_*), which is the order in which they are printed. */
export const ADDRESS_TYPES = [
  'UNSPEC',
  'UNICAST',
  'LOCAL',
  'BROADCAST',
  'ANYCAST',
  'MULTICAST',
  'BLACKHOLE',
  'UNREACHABLE',
  'PROHIBIT',
  'THROW',
  'NAT',
  'XRESOLVE',
] as const;

/** The types that IPv6 looks up (match_type6). */
const LOOKED_UP_V6: readonly string[] = ['LOCAL', 'ANYCAST', 'UNREACHABLE'];
/** What inet_addr_type can find, beside MULTICAST. */
const LOOKED_UP_V4: readonly string[] = ['UNICAST', 'LOCAL', 'BROADCAST', 'ANYCAST'];

/** RTN_* */
export function typeNumber(type: string): number {
  return (ADDRESS_TYPES as readonly string[]).indexOf(type);
}

/** The type of the address is one of `members`, if the address itself tells; undefined: it has to be looked up. */
export function typeByAddress(which: 'saddr' | 'daddr', members: readonly string[], family: Family): Expr | undefined {
  if (family === 'ipv6') {
    return members.some((type) => LOOKED_UP_V6.includes(type)) ? undefined : typeV6(`ip6.${which}`, members);
  }
  if (members.some((type) => LOOKED_UP_V4.includes(type))) return undefined;
  return members.includes('MULTICAST') ? masked(`ip.${which}`, 0xe000_0000, 0xf000_0000) : FALSE;
}

/** match_type6 without look-ups: UNSPEC, UNICAST and MULTICAST must **all** hold, so that two of them never match. */
function typeV6(field: 'ip6.saddr' | 'ip6.daddr', members: readonly string[]): Expr {
  return all(
    members.includes('MULTICAST') ? isMulticast(field) : TRUE,
    members.includes('UNICAST') ? isUnicast(field) : TRUE,
    members.includes('UNSPEC') ? equals(field, 0) : TRUE,
  );
}

/** ff00::/8 */
function isMulticast(field: 'ip6.saddr' | 'ip6.daddr'): Expr {
  return masked(field, 0xffn << 120n, 0xffn << 120n);
}

/** Everything with IPV6_ADDR_UNICAST in __ipv6_addr_type: all but multicast, the unspecified address and ::ffff:0:0/96. */
function isUnicast(field: 'ip6.saddr' | 'ip6.daddr'): Expr {
  const mapped = between(field, 0xffff_0000_0000n, 0xffff_ffff_ffffn);
  const multicast = between(field, 0xffn << 120n, (1n << 128n) - 1n);
  return not(any(multicast, mapped, equals(field, 0)));
}
