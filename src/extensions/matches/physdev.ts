import type { Hook } from '../../packet/netfilter.ts';
import type { MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { requireOneOf } from '../options.ts';
import { flag } from '../values/flag.ts';
import { interfaceName } from '../values/interface-name.ts';

const DEVICE = { value: interfaceName, syntax: 'name[+]', invertible: true } as const;
const FLAG = { value: flag, invertible: true } as const;

const OPTIONS: readonly OptionSpec[] = [
  { name: 'physdev-is-in', ...FLAG },
  { name: 'physdev-in', ...DEVICE },
  { name: 'physdev-is-out', ...FLAG },
  { name: 'physdev-out', ...DEVICE },
  { name: 'physdev-is-bridged', ...FLAG },
];

/** Hooks at which a packet that is not bridged can have a bridge port to leave by. */
const NOT_OUTPUT: readonly Hook[] = ['PREROUTING', 'INPUT', 'FORWARD', 'POSTROUTING'];
const EVERYWHERE: readonly Hook[] = [...NOT_OUTPUT, 'OUTPUT'];

/** xt_physdev. */
export const physdev: MatchExtension = {
  kind: 'match',
  name: 'physdev',
  summary: 'The ports of a bridge that the packet came by and leaves by.',
  families: ['ipv4', 'ipv6'],
  options: OPTIONS,
  hooksFor: (options) => (asksForOutPort(options) ? NOT_OUTPUT : EVERYWHERE),
  check: (options, ctx) =>
    requireOneOf(
      'match "physdev"',
      OPTIONS.map(({ name }) => name),
      options,
      ctx.span,
    ),
};

function asksForOutPort(options: OptionMap): boolean {
  const out = options['physdev-out'] !== undefined || options['physdev-is-out'] !== undefined;
  const bridged = options['physdev-is-bridged'];
  return out && (bridged === undefined || bridged.invert);
}
