import type { Condition } from '../../policy/ir.ts';
import { asking } from '../asking.ts';
import type { LowerContext, Lowered, MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { RATEEST as XT_RATEEST } from '../layouts/stateful.ts';
import { given, printOptions, refuse, requireOneOf, withOption, without } from '../options.ts';
import { bitRate } from '../values/bit-rate.ts';
import { flag } from '../values/flag.ts';
import { name } from '../values/name.ts';
import { packetRate } from '../values/packet-rate.ts';

const MATCH = 'match "rateest"';
const COMPARISONS = ['rateest-lt', 'rateest-gt', 'rateest-eq'] as const;
const KINDS = ['bps', 'pps'] as const;
/** IFNAMSIZ - 1 */
const ESTIMATOR = { value: name(15), syntax: 'name' } as const;
const BITS = { value: bitRate, syntax: '[rate]' } as const;
const PACKETS = { value: packetRate, syntax: '[packets]' } as const;
const ZERO = { kind: 'integer', value: 0n } as const;

const OPTIONS: readonly OptionSpec[] = [
  { name: 'rateest-delta', value: flag },
  { name: 'rateest1', aliases: ['rateest'], mandatory: true, ...ESTIMATOR },
  { name: 'rateest-bps1', ...BITS },
  { name: 'rateest-pps1', ...PACKETS },
  ...COMPARISONS.map((comparison) => ({
    name: comparison,
    value: flag,
    invertible: true,
    excludes: COMPARISONS.filter((other) => other !== comparison),
  })),
  { name: 'rateest-bps2', aliases: ['rateest-bps'], ...BITS },
  { name: 'rateest-pps2', aliases: ['rateest-pps'], ...PACKETS },
  { name: 'rateest2', ...ESTIMATOR },
];

/** xt_rateest. Parsed, a rule has both numbers of each kind that it compares, absent ones being 0. */
export const rateest: MatchExtension = {
  kind: 'match',
  name: 'rateest',
  summary: 'Compares the rates of estimators (see the target RATEEST) with each other or with numbers.',
  notes: [
    'Without `--rateest-delta` the second number counts, which is also the one of `--rateest-bps` and `--rateest-pps`.',
    'Rates are kept in whole bytes a second and printed exactly; iptables-save rounds to kilobits.',
    'iptables-save prints the comparison twice when both kinds are compared.',
  ],
  families: ['ipv4', 'ipv6'],
  layouts: XT_RATEEST,
  options: OPTIONS,
  normalise: (options) => KINDS.reduce(complete, options),
  lower,
  check(options, ctx) {
    const missing = requireOneOf(MATCH, COMPARISONS, options, ctx.span);
    if (missing.length > 0) return missing;
    if (KINDS.some((kind) => options[`rateest-${kind}2`] !== undefined)) return [];
    return refuse(
      MATCH,
      'it must be said whether bits (--rateest-bps) or packets (--rateest-pps) are compared',
      ctx.span,
    );
  },
  print(options, ctx) {
    const words = printOptions(OPTIONS, shown(options), ctx);
    const plain = options['rateest-delta'] === undefined;
    const relative = options['rateest2'] !== undefined;
    return words.flatMap((word) => {
      if (word === '--rateest1' && !relative) return ['--rateest'];
      return [plain ? word.replace(/^(--rateest-[bp]ps)2$/, '$1') : word];
    });
  },
};

function lower(options: OptionMap, ctx: LowerContext): Lowered<readonly Condition[]> {
  const text = (name: string): string | undefined => given(options, name, 'text')?.text;
  const second = text('rateest2');
  const numbers = (kind: (typeof KINDS)[number]): readonly [number, number] | undefined => {
    const last = given(options, `rateest-${kind}2`, 'integer');
    const first = given(options, `rateest-${kind}1`, 'integer');
    return last === undefined ? undefined : [Number(first?.value ?? 0n), Number(last.value)];
  };
  const [bps, pps] = [numbers('bps'), numbers('pps')];
  const comparison = COMPARISONS.find((name) => options[name] !== undefined) ?? 'rateest-eq';
  return asking(
    ctx,
    {
      kind: 'rateest',
      estimators: second === undefined ? [text('rateest1') ?? ''] : [text('rateest1') ?? '', second],
      compare: COMPARES[comparison],
      delta: options['rateest-delta'] !== undefined,
      ...(bps === undefined ? {} : { bps }),
      ...(pps === undefined ? {} : { pps }),
    },
    options[comparison]?.invert === true,
  );
}

const COMPARES = { 'rateest-lt': 'lt', 'rateest-gt': 'gt', 'rateest-eq': 'eq' } as const;

/** Both numbers of a kind, if one is there; what is not looked at is 0. */
function complete(options: OptionMap, kind: (typeof KINDS)[number]): OptionMap {
  const [one, two] = [`rateest-${kind}1`, `rateest-${kind}2`];
  const first = given(options, one, 'integer');
  const second = given(options, two, 'integer');
  if (first === undefined && second === undefined) return options;
  const delta = options['rateest-delta'] !== undefined;
  const number = options['rateest2'] === undefined || delta ? second?.value : undefined;
  const rest = without(options, one, two);
  const all = withOption(rest, two, { kind: 'integer', value: number ?? 0n }, options[two]);
  return delta ? withOption(all, one, first === undefined ? ZERO : { kind: 'integer', value: first.value }) : all;
}

/** Where two estimators are compared as they are, the kinds are named without a number. */
function shown(options: OptionMap): OptionMap {
  if (options['rateest2'] === undefined || options['rateest-delta'] !== undefined) return options;
  let result = options;
  for (const kind of KINDS) {
    if (result[`rateest-${kind}2`] !== undefined) result = withOption(result, `rateest-${kind}2`, { kind: 'flag' });
  }
  return result;
}
