import type { TargetExtension } from '../contract.ts';
import { hopChange as hopChangeLayouts } from '../layouts/rare-targets.ts';
import { requireOneOf } from '../options.ts';
import { hopChanges } from './ttl.ts';

const OPTIONS = hopChanges('hl');

/** xt_HL under its IPv6 name. */
export const hl: TargetExtension = {
  kind: 'target',
  name: 'HL',
  summary: 'Changes the hop limit.',
  families: ['ipv6'],
  effect: { writes: ['ip6.hopLimit', 'bytes'] },
  tables: ['mangle'],
  layouts: hopChangeLayouts('hl'),
  options: OPTIONS,
  check: (options, ctx) =>
    requireOneOf(
      'target "HL"',
      OPTIONS.map(({ name }) => name),
      options,
      ctx.span,
    ),
};
