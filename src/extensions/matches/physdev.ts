import { devicePattern } from '../../packet/device.ts';
import type { Hook } from '../../packet/netfilter.ts';
import { all, any, conditions, equals, FALSE, invertIf, masked, not, require, TRUE } from '../../policy/expr.ts';
import type { Expr } from '../../policy/ir.ts';
import type { MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { PHYSDEV as XT_PHYSDEV } from '../layouts/packet.ts';
import { given, lowered, requireOneOf } from '../options.ts';
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
  layouts: XT_PHYSDEV,
  options: OPTIONS,
  hooksFor: (options) => (asksForOutPort(options) ? NOT_OUTPUT : EVERYWHERE),
  check: (options, ctx) =>
    requireOneOf(
      'match "physdev"',
      OPTIONS.map(({ name }) => name),
      options,
      ctx.span,
    ),
  lower(options) {
    const bridged = all(...criteria(options));
    return lowered(
      conditions(
        require(any(all(equals('bridge.present', 1), bridged), all(equals('bridge.present', 0), unbridged(options)))),
      ),
    );
  },
};

/** A packet that crosses no bridge: every criterion that was given must be inverted. */
function unbridged(options: OptionMap): Expr {
  return OPTIONS.every(({ name }) => options[name]?.invert !== false) ? TRUE : FALSE;
}

/** physdev_mt for a packet with a bridge's notes. A port that is gone satisfies `--physdev-in`; an unknown one never `--physdev-out`. */
function criteria(options: OptionMap): readonly Expr[] {
  const [hasIn, hasOut] = [equals('bridge.hasIn', 1), equals('bridge.hasOut', 1)];
  const flags = [
    ['physdev-is-bridged', hasOut],
    ['physdev-is-in', hasIn],
    ['physdev-is-out', hasOut],
  ] as const;
  const list: Expr[] = [];
  for (const [name, expr] of flags) {
    const use = options[name];
    if (use !== undefined) list.push(invertIf(use.invert, expr));
  }
  const came = given(options, 'physdev-in', 'text');
  if (came !== undefined) list.push(any(not(hasIn), invertIf(came.invert, named('bridge.inName', came.text))));
  const leaves = given(options, 'physdev-out', 'text');
  if (leaves !== undefined) list.push(all(hasOut, invertIf(leaves.invert, named('bridge.outName', leaves.text))));
  return list;
}

function named(field: 'bridge.inName' | 'bridge.outName', pattern: string): Expr {
  const { value, mask } = devicePattern(pattern);
  return masked(field, value, mask);
}

function asksForOutPort(options: OptionMap): boolean {
  const out = options['physdev-out'] !== undefined || options['physdev-is-out'] !== undefined;
  const bridged = options['physdev-is-bridged'];
  return out && (bridged === undefined || bridged.invert);
}
