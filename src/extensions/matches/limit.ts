import { limitOverflows } from '../../policy/limit.ts';
import type { MatchExtension, OptionSpec } from '../contract.ts';
import { LIMIT as XT_LIMIT } from '../layouts/stateful.ts';
import { always, lowered, printOptions, refuse, without } from '../options.ts';
import { integer } from '../values/integer.ts';
import { limitRate } from '../values/rate.ts';

const DEFAULT_BURST = 5n;
/** 3/hour, as the time between two packets in 1/10,000 s. */
const DEFAULT_AVG = (10_000n * 3600n) / 3n;
/** HZ of most kernels; 1000 has the same credits per second (CREDITS_PER_JIFFY * HZ), so the check is that of both. */
const COMMON_HZ = 250;

const OPTIONS: readonly OptionSpec[] = [
  {
    name: 'limit',
    value: limitRate,
    syntax: 'n[/second|minute|hour|day]',
    default: { kind: 'integer', value: DEFAULT_AVG },
  },
  {
    name: 'limit-burst',
    value: integer(0n, 10_000n),
    syntax: 'n',
    default: { kind: 'integer', value: DEFAULT_BURST },
  },
];

/** xt_limit: a bucket of credits per rule. */
export const limit: MatchExtension = {
  kind: 'match',
  name: 'limit',
  summary: 'Matches at no more than a rate; one count for the rule, whatever the packets are.',
  notes: [
    'What the kernel refuses as an overflow (`--limit 1/day` with a burst of 5) is refused as for a kernel with HZ 250 or 1000.',
  ],
  families: ['ipv4', 'ipv6'],
  layouts: XT_LIMIT,
  options: OPTIONS,
  check(options, ctx) {
    const rate = { avg: number(options, 'limit'), burst: number(options, 'limit-burst') };
    if (!limitOverflows(rate, COMMON_HZ)) return [];
    return refuse('match "limit"', 'the kernel cannot count this rate with this burst; try a lower burst', ctx.span);
  },
  print(options, ctx) {
    const usual = always(options, 'limit-burst', 'integer').value === DEFAULT_BURST;
    return printOptions(OPTIONS, usual ? without(options, 'limit-burst') : options, ctx);
  },
  lower(options, ctx) {
    const state = ctx.addState({ kind: 'limit', avg: number(options, 'limit'), burst: number(options, 'limit-burst') });
    return lowered([{ kind: 'stateful', test: { kind: 'limit', state }, invert: false }]);
  },
};

function number(options: Parameters<typeof always>[0], name: string): number {
  return Number(always(options, name, 'integer').value);
}
