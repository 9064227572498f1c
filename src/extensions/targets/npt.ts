import { prefixToMask } from '../../packet/address.ts';
import type { Hook } from '../../packet/netfilter.ts';
import type { OptionMap, TargetExtension } from '../contract.ts';
import { NPT as XT_NPT } from '../layouts/rare-targets.ts';
import { always, refuse } from '../options.ts';
import { network6 } from '../values/network6.ts';

/** Bits of an address that can be a prefix here: the checksum is evened out in the rest. */
const LONGEST_PREFIX = 64;

/** ip6t_SNPT and ip6t_DNPT. */
function npt(name: 'SNPT' | 'DNPT', summary: string, hooks: readonly Hook[]): TargetExtension {
  const prefix = { value: network6, syntax: 'prefix/length', mandatory: true } as const;
  return {
    kind: 'target',
    name,
    summary,
    families: ['ipv6'],
    effect: { refused: 'whether it drops a packet is only known when the prefix has been exchanged' },
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
