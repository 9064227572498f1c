import type { Family } from '../packet/netfilter.ts';
import { masked, payload } from '../policy/expr.ts';
import type { Expr } from '../policy/ir.ts';

/**
 * (type of service of IPv4, or traffic class of IPv6) & mask == value. A value with bits outside the mask: false. Of IPv6 the eight
 * bits lie across the first two bytes of the header (ipv6_get_dsfield).
 */
export function trafficClass(family: Family, value: bigint, mask: bigint): Expr {
  if (family === 'ipv4' || (value & ~mask) !== 0n) return masked('ip.tos', value, mask);
  const bits = value << 4n;
  return payload({ base: 'network', offset: 0, bits: 16 }, [{ min: bits, max: bits }], mask << 4n);
}
