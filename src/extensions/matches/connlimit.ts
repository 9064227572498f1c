import { ADDRESS_BITS } from '../../packet/address.ts';
import type { MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { CONNLIMIT as XT_CONNLIMIT } from '../layouts/connection.ts';
import { given, lowered, requireOneOf, withOption, without } from '../options.ts';
import { askedHere, layoutQuestion } from '../staging.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';
import { U32_MAX } from '../values/numbers.ts';
import { prefixLength } from '../values/prefix-length.ts';

const UPTO = 'connlimit-upto';
const ABOVE = 'connlimit-above';
const COUNT = { value: integer(0n, U32_MAX), syntax: 'n', invertible: true } as const;

const OPTIONS: readonly OptionSpec[] = [
  { name: UPTO, excludes: [ABOVE], ...COUNT },
  { name: ABOVE, excludes: [UPTO], ...COUNT },
  { name: 'connlimit-mask', value: prefixLength, syntax: 'length' },
  { name: 'connlimit-saddr', value: flag, excludes: ['connlimit-daddr'] },
  { name: 'connlimit-daddr', value: flag, excludes: ['connlimit-saddr'] },
];

/** xt_connlimit revision 1. */
export const connlimit: MatchExtension = {
  kind: 'match',
  name: 'connlimit',
  summary: 'How many connections there are from (or to) an address or a network.',
  families: ['ipv4', 'ipv6'],
  conntrack: true,
  layouts: XT_CONNLIMIT,
  options: OPTIONS,
  normalise(options, ctx) {
    const bits = { kind: 'integer', value: BigInt(ADDRESS_BITS[ctx.family]) } as const;
    const masked = options['connlimit-mask'] === undefined ? withOption(options, 'connlimit-mask', bits) : options;
    const side = options['connlimit-daddr'] ?? options['connlimit-saddr'];
    return foldInversion(side === undefined ? withOption(masked, 'connlimit-saddr', { kind: 'flag' }) : masked);
  },
  check: (options, ctx) => requireOneOf('match "connlimit"', [UPTO, ABOVE], options, ctx.span),
  // The match itself has to be asked, and only about packets that get to it: it counts the connections that it is asked about, and only
  // the kernel knows which of them still exist.
  suspends: () => true,
  lower: (options, ctx) => lowered([askedHere(ctx, layoutQuestion('connlimit', XT_CONNLIMIT, options, ctx))]),
};

/** Not above is up to, and the other way round. */
function foldInversion(options: OptionMap): OptionMap {
  const name = options[UPTO] === undefined ? ABOVE : UPTO;
  const limit = given(options, name, 'integer');
  if (limit?.invert !== true) return options;
  return withOption(without(options, name), name === UPTO ? ABOVE : UPTO, { kind: 'integer', value: limit.value });
}
