import type { Hook } from '../../packet/netfilter.ts';
import type { OptionSpec, TargetExtension } from '../contract.ts';
import { SET_TARGET as XT_SET_TARGET } from '../layouts/stateful.ts';
import { refuse, requireOneOf } from '../options.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';
import { U32_MAX } from '../values/numbers.ts';
import { setReference } from '../values/set-reference.ts';

const TARGET = 'target "SET"';
const ACTIONS = ['add-set', 'del-set', 'map-set'] as const;
const MAPS = ['map-mark', 'map-prio', 'map-queue'] as const;
const SET = { value: setReference, syntax: 'name src|dst,...' } as const;
const EVERYWHERE: readonly Hook[] = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'];
/** Hooks at which a priority or a queue can still be chosen. */
const ON_THE_WAY_OUT: readonly Hook[] = ['FORWARD', 'OUTPUT', 'POSTROUTING'];

const OPTIONS: readonly OptionSpec[] = [
  { name: 'add-set', ...SET },
  { name: 'exist', value: flag, requires: ['add-set'] },
  { name: 'timeout', value: integer(0n, U32_MAX - 1n), syntax: 'seconds', requires: ['add-set'] },
  { name: 'del-set', ...SET },
  { name: 'map-set', ...SET },
  ...MAPS.map((name) => ({ name, value: flag, requires: ['map-set'] })),
];

/** xt_SET revision 3. */
export const set: TargetExtension = {
  kind: 'target',
  name: 'SET',
  summary:
    'Adds addresses or ports of the packet to an ipset, deletes them from it, or takes mark, priority and queue from it.',
  notes: ['Whether there is such a set, and of what type, is only known when the rule is loaded.'],
  families: ['ipv4', 'ipv6'],
  effect: (options) => ({ writes: options['map-set'] === undefined ? ['asked.'] : ['asked.', 'meta.mark'] }),
  layouts: XT_SET_TARGET,
  options: OPTIONS,
  hooksFor: (options) =>
    options['map-prio'] === undefined && options['map-queue'] === undefined ? EVERYWHERE : ON_THE_WAY_OUT,
  check(options, ctx) {
    if (options['map-set'] === undefined) return requireOneOf(TARGET, ACTIONS, options, ctx.span);
    if (ctx.table !== 'mangle') return refuse(TARGET, '--map-set can only be used in table mangle', ctx.span);
    return requireOneOf(TARGET, MAPS, options, ctx.span);
  },
};
