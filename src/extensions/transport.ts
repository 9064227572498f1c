/** The beginning that all matches of a transport header share: fragments, short headers, ports. */

import type { Family } from '../packet/netfilter.ts';
import { between, doom, equals, FALSE, hotdrop, invertIf, payload, require, TRUE } from '../policy/expr.ts';
import type { FieldName } from '../policy/fields.ts';
import type { Condition, Expr, PayloadTest } from '../policy/ir.ts';
import type { Scan } from '../policy/scan.ts';
import type { Given } from './options.ts';

/** Where the offset of a later fragment stands: in units of 8 bytes for IPv4, in bytes for IPv6. */
export function fragmentOffset(family: Family): 'ip.fragOffset' | 'ip6.fragOffset' {
  return family === 'ipv4' ? 'ip.fragOffset' : 'ip6.fragOffset';
}

/** A later fragment has no transport header and does not match; a header of less than `bytes` drops the packet. */
export function transportHeader(family: Family, bytes: number): readonly Condition[] {
  const known = HEADERS[family].get(bytes);
  if (known !== undefined) return known;
  const made = Object.freeze([
    require(equals(fragmentOffset(family), 0)),
    hotdrop(between('transport.length', 0, bytes - 1)),
  ]);
  HEADERS[family].set(bytes, made);
  return made;
}

/** Made once for all rules. */
const HEADERS = {
  ipv4: new Map<number, readonly Condition[]>(),
  ipv6: new Map<number, readonly Condition[]>(),
} as const satisfies Record<Family, unknown>;

/** A range test of a port-like field; an option that was not given asks nothing. */
export function inRange(field: FieldName, range: Given<'range'> | undefined): Expr {
  return range === undefined ? TRUE : invertIf(range.invert, between(field, range.min, range.max));
}

/**
 * A walk through the packet that can find it evil. The kernel's match then says hotdrop and "not found", which `!` turns into a match: the
 * rest of the rule is still looked at, and a rule that holds counts and acts before the packet is dropped. `never`: nothing is ever found.
 */
export function scanConditions(scan: Scan, invert: boolean, never = false): readonly Condition[] {
  const evil: Expr = { kind: 'scan', scan, outcome: 'evil' };
  const found: Expr = never ? FALSE : { kind: 'scan', scan, outcome: 'yes' };
  return [invert ? doom(evil) : hotdrop(evil), require(invertIf(invert, found))];
}

/** A range test of bytes of the transport header; an option that was not given asks nothing. */
export function bytesInRange(place: Pick<PayloadTest, 'offset' | 'bits'>, range: Given<'range'> | undefined): Expr {
  if (range === undefined) return TRUE;
  return invertIf(range.invert, payload({ base: 'transport', ...place }, [{ min: range.min, max: range.max }]));
}
