import { between } from '../../policy/expr.ts';
import type { OptionMap, OptionSpec, TargetExtension } from '../contract.ts';
import { ECN as XT_ECN } from '../layouts/rare-targets.ts';
import { given, printOptions, refuse, requireOneOf, withOption, without } from '../options.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';
import { TOS_WRITES } from './tos-writes.ts';

const TCP = 6;
const TARGET = 'target "ECN"';
const FLAGS = ['ecn-tcp-ece', 'ecn-tcp-cwr'] as const;
const FLAG = { value: integer(0n, 1n), syntax: '0 or 1', excludes: ['ecn-tcp-remove'] } as const;

const OPTIONS: readonly OptionSpec[] = [
  { name: 'ecn-tcp-remove', value: flag, excludes: FLAGS },
  ...FLAGS.map((name) => ({ name, ...FLAG })),
  { name: 'ecn-ip-ect', value: integer(0n, 3n), syntax: '0...3' },
];

/** ipt_ECN. Parsed, `--ecn-tcp-remove` is both flags set to 0. */
export const ecn: TargetExtension = {
  kind: 'target',
  name: 'ECN',
  summary: 'Changes the bits of explicit congestion notification in the TCP header, or in the IP header.',
  families: ['ipv4'],
  effect: (options) => ({
    needsProtocol: true,
    writes: [...TOS_WRITES, 'tcp.flags'],
    ...(FLAGS.some((name) => options[name] !== undefined) ? { ends: between('transport.length', 0, 19) } : {}),
  }),
  tables: ['mangle'],
  layouts: XT_ECN,
  options: OPTIONS,
  normalise(options) {
    if (options['ecn-tcp-remove'] === undefined) return options;
    const zero = { kind: 'integer', value: 0n } as const;
    return FLAGS.reduce((all, name) => withOption(all, name, zero), without(options, 'ecn-tcp-remove'));
  },
  check(options, ctx) {
    const { protocol } = ctx.ip;
    const isTcp = protocol !== undefined && protocol.value === TCP && !protocol.invert;
    if (FLAGS.some((name) => options[name] !== undefined) && !isTcp) {
      return refuse(TARGET, 'operations on the TCP header need -p tcp', ctx.span);
    }
    return requireOneOf(TARGET, [...FLAGS, 'ecn-ip-ect'], options, ctx.span);
  },
  print(options, ctx) {
    return removes(options) ? ['--ecn-tcp-remove'] : printOptions(OPTIONS, options, ctx);
  },
};

function removes(options: OptionMap): boolean {
  const zeros = FLAGS.every((name) => given(options, name, 'integer')?.value === 0n);
  return zeros && options['ecn-ip-ect'] === undefined;
}
