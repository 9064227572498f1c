import { prefixToMask } from '../../packet/address.ts';
import type { Hook } from '../../packet/netfilter.ts';
import { masked } from '../../policy/expr.ts';
import type { EffectTraits, OptionMap, TargetExtension } from '../contract.ts';
import { NPT as XT_NPT } from '../layouts/rare-targets.ts';
import { always, refuse } from '../options.ts';
import { network6 } from '../values/network6.ts';

/** Bits of an address that can be a prefix here: the checksum is evened out in the rest. */
const LONGEST_PREFIX = 64;
/** Up to this length of both prefixes the fourth word takes the checksum. */
const WORD_FOR_CHECKSUM = 48;
const IDENTIFIER = 0xffff_ffff_ffff_ffffn;

/** ip6t_SNPT and ip6t_DNPT. */
function npt(name: 'SNPT' | 'DNPT', summary: string, hooks: readonly Hook[]): TargetExtension {
  const prefix = { value: network6, syntax: 'prefix/length', mandatory: true } as const;
  return {
    kind: 'target',
    name,
    summary,
    notes: ['Prefixes longer than 48 bits: an address that ends in 64 ones is answered with an ICMPv6 error, as ever.'],
    families: ['ipv6'],
    effect: (options) => effectOf(name === 'SNPT' ? 'ip6.saddr' : 'ip6.daddr', options),
    tables: ['mangle'],
    hooks,
    layouts: XT_NPT,
    options: [
      { name: 'src-pfx', ...prefix },
      { name: 'dst-pfx', ...prefix },
    ],
    check(options, ctx) {
      const why = ['src-pfx', 'dst-pfx'].map((option) => problem(options, option)).find((text) => text !== undefined);
      return why === undefined ? [] : refuse(`target "${name}"`, why, ctx.span);
    },
  };
}

/**
 * Where the longer prefix leaves no room for it in the fourth word, the checksum is evened out in the first word behind it that is not all
 * ones. An address without one is refused with an ICMPv6 error and dropped (ip6t_npt_map_pfx of Linux 6.18).
 */
function effectOf(address: 'ip6.saddr' | 'ip6.daddr', options: OptionMap): EffectTraits {
  const masks = ['src-pfx', 'dst-pfx'].map((option) => always(options, option, 'masked').mask);
  const long = masks.some((mask) => (mask & ~prefixToMask(WORD_FOR_CHECKSUM, 'ipv6')) !== 0n);
  const made = address === 'ip6.saddr' ? (['mac.eui64'] as const) : [];
  return {
    ...(long ? { ends: masked(address, IDENTIFIER, IDENTIFIER) } : {}),
    writes: [address, ...made, 'bytes'],
  };
}

function problem(options: OptionMap, option: string): string | undefined {
  const { value, mask } = always(options, option, 'masked');
  if ((mask & ~prefixToMask(LONGEST_PREFIX, 'ipv6')) !== 0n) {
    return `the prefix of --${option} is longer than ${LONGEST_PREFIX} bits`;
  }
  return (value & ~mask) === 0n ? undefined : `the address of --${option} has bits behind its prefix`;
}

export const dnpt: TargetExtension = npt('DNPT', 'Changes the prefix of the destination address, without state.', [
  'PREROUTING',
  'OUTPUT',
]);
export const snpt: TargetExtension = npt('SNPT', 'Changes the prefix of the source address, without state.', [
  'INPUT',
  'POSTROUTING',
]);
