import type { OptionMap, OptionSpec, TargetExtension } from '../contract.ts';
import { NFLOG as XT_NFLOG } from '../layouts/targets.ts';
import { given, lowered, without } from '../options.ts';
import { integer } from '../values/integer.ts';
import { U16_MAX, U32_MAX } from '../values/numbers.ts';
import { text } from '../values/text.ts';

const OPTIONS: readonly OptionSpec[] = [
  {
    name: 'nflog-prefix',
    value: text(63, { truncate: true, notEmpty: true, singleLine: true }),
    syntax: 'text of up to 63 bytes',
  },
  { name: 'nflog-group', value: integer(0n, U16_MAX), syntax: 'n' },
  { name: 'nflog-range', value: integer(0n, U32_MAX), syntax: 'bytes', excludes: ['nflog-size'] },
  { name: 'nflog-size', value: integer(0n, U32_MAX), syntax: 'bytes', excludes: ['nflog-range'] },
  { name: 'nflog-threshold', value: integer(0n, U16_MAX), syntax: 'n' },
];

/** What iptables does not print when it is 0, the default. */
const ZERO_BY_DEFAULT = ['nflog-group', 'nflog-range', 'nflog-threshold'] as const;

/** xt_NFLOG. `--nflog-range` has no effect in the kernel and has none here. */
export const nflog: TargetExtension = {
  kind: 'target',
  name: 'NFLOG',
  summary: 'Hands a copy of the packet to whoever listens to a log group, and goes on.',
  notes: ['`--nflog-range` has no effect, as in the kernel.'],
  families: ['ipv4', 'ipv6'],
  layouts: XT_NFLOG,
  options: OPTIONS,
  normalise(options) {
    const idle = ZERO_BY_DEFAULT.filter((name) => options[name] !== undefined && number(options, name) === 0);
    return idle.length === 0 ? options : without(options, ...idle);
  },
  lower(options, ctx) {
    const index = ctx.addLog({
      kind: 'NFLOG',
      prefix: given(options, 'nflog-prefix', 'text')?.text ?? '',
      level: 0,
      flags: 0,
      group: number(options, 'nflog-group'),
      size: number(options, 'nflog-size'),
      threshold: number(options, 'nflog-threshold'),
    });
    return lowered({ kind: 'log', log: index });
  },
};

function number(options: OptionMap, name: string): number {
  return Number(given(options, name, 'integer')?.value ?? 0n);
}
