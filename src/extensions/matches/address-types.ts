/** The types of addresses that addrtype tells apart, and what can be asked about them without a look-up. */

import { all, any, between, equals, invertIf, masked, not, TRUE, test } from '../../policy/expr.ts';
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

const RTN_LOCAL = ADDRESS_TYPES.indexOf('LOCAL');
/** inet_addr_type asks the local table only, where nothing but these can come out; the other names never match. */
const FOUND_V4: readonly string[] = ['UNICAST', 'LOCAL', 'BROADCAST', 'ANYCAST', 'MULTICAST'];

export type TypeTest = { readonly expr: Expr; readonly needsRoute: boolean } | { readonly why: string };

/**
 * IPv4: the type of the destination is one of `members`, by the packet's route. This machine's own packets for 0.0.0.0 are routed to
 * itself, on their way out and when they come in on lo, but the address is a broadcast to inet_addr_type.
 */
export function typeOfDestinationV4(members: readonly string[], invert: boolean): TypeTest {
  const numbers = members.filter((type) => FOUND_V4.includes(type)).map((type) => typeNumber(type));
  const expr = test(
    'route.dstType',
    numbers.map((number) => ({ min: number, max: number })),
  );
  return { expr: invertIf(invert, withZeroAddress(expr, members)), needsRoute: true };
}

function withZeroAddress(byRoute: Expr, members: readonly string[]): Expr {
  const zero = equals('ip.daddr', 0);
  return members.includes('BROADCAST') ? any(zero, byRoute) : all(not(zero), byRoute);
}

function typeNumber(type: string): bigint {
  return BigInt((ADDRESS_TYPES as readonly string[]).indexOf(type));
}

/**
 * IPv6 (match_type6): UNSPEC, UNICAST and MULTICAST are asked of the address itself and must **all** hold, so that two
 * of them never match; then, if LOCAL is among `members`, the route must be local.
 */
export function typeV6(field: 'ip6.saddr' | 'ip6.daddr', members: readonly string[], invert: boolean): TypeTest {
  const looked = members.find((type) => type === 'ANYCAST' || type === 'UNREACHABLE');
  if (looked !== undefined)
    return { why: `the type ${looked} needs a look-up in the routing table, which a netfilter program lacks` };
  const local = members.includes('LOCAL');
  if (local && field === 'ip6.saddr')
    return {
      why: 'the type of a source address needs a look-up in the routing table, which a netfilter program lacks',
    };
  const byAddress = all(
    members.includes('MULTICAST') ? isMulticast(field) : TRUE,
    members.includes('UNICAST') ? isUnicast(field) : TRUE,
    members.includes('UNSPEC') ? equals(field, 0) : TRUE,
  );
  const expr = all(byAddress, local ? equals('route.dstType', RTN_LOCAL) : TRUE);
  return { expr: invertIf(invert, expr), needsRoute: local };
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
