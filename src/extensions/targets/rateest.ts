import type { OptionMap, TargetExtension } from '../contract.ts';
import { RATEEST as XT_RATEEST } from '../layouts/rare-targets.ts';
import { always, refuse, withOption } from '../options.ts';
import { name } from '../values/name.ts';
import { U32_MAX } from '../values/numbers.ts';
import { timeSpan } from '../values/time-span.ts';

const TARGET = 'target "RATEEST"';
const INTERVAL = 'rateest-interval';
const AVERAGE = 'rateest-ewmalog';
/** A quarter of a second, in microseconds: the shortest interval; each other one is twice as long as the one before. */
const SHORTEST = 250_000;
const INTERVALS = 6;
const MOST_DOUBLINGS = 30;
const TOO_LONG = 'the time of averaging does not fit the interval';

/** xt_RATEEST. Parsed, both times are rounded to those that the kernel has. */
export const rateest: TargetExtension = {
  kind: 'target',
  name: 'RATEEST',
  summary: 'Feeds a rate estimator, which the match rateest asks.',
  notes: [
    'The interval is rounded up to 0.25, 0.5, 1, 2, 4 or 8 seconds, the time of averaging to a doubling of that.',
  ],
  families: ['ipv4', 'ipv6'],
  effect: { writes: ['asked.', 'rateest'] },
  layouts: XT_RATEEST,
  options: [
    { name: 'rateest-name', value: name(15), syntax: 'name', mandatory: true },
    { name: INTERVAL, value: timeSpan, syntax: 'time', mandatory: true },
    { name: AVERAGE, value: timeSpan, syntax: 'time', mandatory: true },
  ],
  normalise(options) {
    const times = kernelTimes(options);
    if (typeof times === 'string') return options;
    const interval = withOption(options, INTERVAL, { kind: 'integer', value: times.interval }, options[INTERVAL]);
    return withOption(interval, AVERAGE, { kind: 'integer', value: times.average }, options[AVERAGE]);
  },
  check(options, ctx) {
    const times = kernelTimes(options);
    return typeof times === 'string' ? refuse(TARGET, times, ctx.span) : [];
  },
};

/** The times that the kernel uses, in microseconds, or what is wrong with those that are given. */
function kernelTimes(options: OptionMap): { readonly interval: bigint; readonly average: bigint } | string {
  const wanted = Number(always(options, INTERVAL, 'integer').value);
  const averaged = Number(always(options, AVERAGE, 'integer').value);
  let at = 0;
  while (at < INTERVALS && wanted > SHORTEST * 2 ** at) at++;
  if (at === INTERVALS) return 'the interval is longer than 8 seconds';
  const interval = SHORTEST * 2 ** at;
  // The weight of old samples is 1 - 2^-n; the largest n is taken that averages over no more than is wanted.
  let doublings = 0;
  while (doublings <= MOST_DOUBLINGS && wanted / -Math.log(1 - 2 ** -(doublings + 1)) <= averaged) doublings++;
  if (doublings === 0 || doublings > MOST_DOUBLINGS) return TOO_LONG;
  const average = BigInt(interval * 2 ** doublings);
  // An interval far below the shortest is rounded up, and so is the average: its save text could not be read back.
  return average > U32_MAX ? TOO_LONG : { interval: BigInt(interval), average };
}
