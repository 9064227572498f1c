import type { OptionSpec, TargetExtension } from '../contract.ts';
import { LOG as XT_LOG } from '../layouts/targets.ts';
import { always, given, lowered, printOptions, without } from '../options.ts';
import { choice } from '../values/choice.ts';
import { flag } from '../values/flag.ts';
import { text } from '../values/text.ts';

/** LOG_WARNING */
const DEFAULT_LEVEL = 4n;
/** The names that iptables has; `err` and `warn` of other tools are not among them. */
const level = choice(
  { emerg: 0, panic: 0, alert: 1, crit: 2, error: 3, warning: 4, notice: 5, info: 6, debug: 7 },
  { what: 'log level', numbersTo: 7n, printNumber: true },
);

/** XT_LOG_* bits by option. */
const FLAGS = {
  'log-tcp-sequence': 0x01,
  'log-tcp-options': 0x02,
  'log-ip-options': 0x04,
  'log-uid': 0x08,
  'log-macdecode': 0x20,
} as const;

const OPTIONS: readonly OptionSpec[] = [
  {
    name: 'log-prefix',
    value: text(29, { truncate: true, notEmpty: true, singleLine: true }),
    syntax: 'text of up to 29 bytes',
  },
  {
    name: 'log-level',
    value: level,
    syntax: 'name or 0...7',
    default: { kind: 'integer', value: DEFAULT_LEVEL },
  },
  ...Object.keys(FLAGS).map((name) => ({ name, value: flag })),
];

/** xt_LOG. */
export const log: TargetExtension = {
  kind: 'target',
  name: 'LOG',
  summary: 'Writes the packet to the log, in the format of the kernel, and goes on.',
  families: ['ipv4', 'ipv6'],
  layouts: XT_LOG,
  options: OPTIONS,
  print(options, ctx) {
    const usual = always(options, 'log-level', 'integer').value === DEFAULT_LEVEL;
    return printOptions(OPTIONS, usual ? without(options, 'log-level') : options, ctx);
  },
  lower(options, ctx) {
    const flags = Object.entries(FLAGS).reduce((bits, [name, bit]) => (options[name] ? bits | bit : bits), 0);
    const number = ctx.addLog({
      kind: 'LOG',
      prefix: given(options, 'log-prefix', 'text')?.text ?? '',
      level: Number(always(options, 'log-level', 'integer').value),
      flags,
      group: 0,
      size: 0,
      threshold: 0,
    });
    return lowered({ kind: 'log', log: number });
  },
};
