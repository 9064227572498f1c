import { between, conditions, equals, FALSE, invertIf, require } from '../../policy/expr.ts';
import type { FieldName } from '../../policy/fields.ts';
import type { Expr } from '../../policy/ir.ts';
import type { MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { hops as hopsLayouts } from '../layouts/packet.ts';
import { given, lowered, requireOneOf } from '../options.ts';
import { integer } from '../values/integer.ts';
import { U8_MAX } from '../values/numbers.ts';

/** The three comparisons, of which a rule has exactly one, under names with a prefix: ttl-eq, ttl-lt, ttl-gt. */
export function hopOptions(prefix: 'ttl' | 'hl'): readonly OptionSpec[] {
  const common = { value: integer(0n, U8_MAX), syntax: 'number' } as const;
  const [eq, lt, gt] = [`${prefix}-eq`, `${prefix}-lt`, `${prefix}-gt`];
  return [
    { name: eq, aliases: [prefix], invertible: true, excludes: [lt, gt], ...common },
    { name: lt, excludes: [eq, gt], ...common },
    { name: gt, excludes: [eq, lt], ...common },
  ];
}

/** ttl_mt and hl_mt6: equal, not equal, less, greater. */
export function lowerHops(options: OptionMap, prefix: 'ttl' | 'hl', field: FieldName) {
  const eq = given(options, `${prefix}-eq`, 'integer');
  const lt = given(options, `${prefix}-lt`, 'integer');
  const gt = given(options, `${prefix}-gt`, 'integer');
  let matched: Expr = FALSE;
  if (eq !== undefined) matched = invertIf(eq.invert, equals(field, eq.value));
  else if (lt !== undefined) matched = between(field, 0n, lt.value - 1n);
  else if (gt !== undefined) matched = between(field, gt.value + 1n, U8_MAX);
  return lowered(conditions(require(matched)));
}

/** xt_hl under its IPv4 name. */
export const ttl: MatchExtension = {
  kind: 'match',
  name: 'ttl',
  summary: 'Time to live of an IPv4 packet.',
  families: ['ipv4'],
  layouts: hopsLayouts('ttl'),
  options: hopOptions('ttl'),
  check: (options, ctx) => requireOneOf('match "ttl"', ['ttl-eq', 'ttl-lt', 'ttl-gt'], options, ctx.span),
  lower: (options) => lowerHops(options, 'ttl', 'ip.ttl'),
};
