import { ADDRESS_BITS } from '../../packet/address.ts';
import type { MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { CONNLIMIT as XT_CONNLIMIT } from '../layouts/connection.ts';
import { cannot, given, requireOneOf, withOption, without } from '../options.ts';
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
  // nf_conncount asks conntrack's table for every connection it has counted, and the kernel functions for that
  // (bpf_skb_ct_lookup) are not for programs at netfilter hooks.
  lower: () => cannot('a BPF program at a netfilter hook cannot ask which connections still exist'),
};

/** Not above is up to, and the other way round. */
function foldInversion(options: OptionMap): OptionMap {
  const name = options[UPTO] === undefined ? ABOVE : UPTO;
  const limit = given(options, name, 'integer');
  if (limit?.invert !== true) return options;
  return withOption(without(options, name), name === UPTO ? ABOVE : UPTO, { kind: 'integer', value: limit.value });
}
