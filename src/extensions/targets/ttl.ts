import type { OptionSpec, TargetExtension } from '../contract.ts';
import { hopChange as hopChangeLayouts } from '../layouts/rare-targets.ts';
import { requireOneOf } from '../options.ts';
import { integer } from '../values/integer.ts';
import { U8_MAX } from '../values/numbers.ts';

/** set, inc and dec under names with a prefix; a rule has exactly one. */
export function hopChanges(prefix: 'ttl' | 'hl'): readonly OptionSpec[] {
  const names = ['set', 'inc', 'dec'].map((verb) => `${prefix}-${verb}`);
  return names.map((name) => ({
    name,
    value: integer(name.endsWith('-set') ? 0n : 1n, U8_MAX),
    syntax: 'n',
    excludes: names.filter((other) => other !== name),
  }));
}

const OPTIONS = hopChanges('ttl');

/** xt_HL under its IPv4 name. */
export const ttl: TargetExtension = {
  kind: 'target',
  name: 'TTL',
  summary: 'Changes the time to live.',
  families: ['ipv4'],
  effect: { writes: ['ip.ttl', 'bytes'] },
  tables: ['mangle'],
  layouts: hopChangeLayouts('ttl'),
  options: OPTIONS,
  check: (options, ctx) =>
    requireOneOf(
      'target "TTL"',
      OPTIONS.map(({ name }) => name),
      options,
      ctx.span,
    ),
};
