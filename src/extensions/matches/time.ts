import { all, any, between, conditions, require, TRUE, test } from '../../policy/expr.ts';
import type { Expr } from '../../policy/ir.ts';
import type { Question } from '../../policy/question.ts';
import { matchQuestion } from '../asked-match.ts';
import { asking } from '../asking.ts';
import type { MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { TIME as XT_TIME } from '../layouts/stateful.ts';
import { always, given, lowered, printOptions, refuse, withOption, without } from '../options.ts';
import { dateTime, dayTime } from '../values/date-time.ts';
import { MONTHDAYS, monthdays, WEEKDAYS, weekdays } from '../values/days.ts';
import { flag } from '../values/flag.ts';

const MATCH = 'match "time"';
const LAST_SECOND_OF_DAY = 86_399n;
/** 2038-01-19T03:14:07 */
const LAST_SECOND = 0x7fff_ffffn;

const OPTIONS: readonly OptionSpec[] = [
  { name: 'timestart', value: dayTime, syntax: 'hh:mm[:ss]', default: { kind: 'integer', value: 0n } },
  { name: 'timestop', value: dayTime, syntax: 'hh:mm[:ss]', default: { kind: 'integer', value: LAST_SECOND_OF_DAY } },
  { name: 'monthdays', value: monthdays, syntax: '1...31,...', invertible: true },
  { name: 'weekdays', value: weekdays, syntax: 'Mon,... or 1...7,...', invertible: true },
  {
    name: 'datestart',
    value: dateTime,
    syntax: 'YYYY[-MM[-DD[Thh[:mm[:ss]]]]]',
    default: { kind: 'integer', value: 0n },
  },
  {
    name: 'datestop',
    value: dateTime,
    syntax: 'YYYY[-MM[-DD[Thh[:mm[:ss]]]]]',
    default: { kind: 'integer', value: LAST_SECOND },
  },
  { name: 'kerneltz', aliases: ['localtz'], value: flag, excludes: ['utc'] },
  { name: 'contiguous', value: flag },
  { name: 'utc', value: flag, excludes: ['kerneltz'] },
];

/** xt_time revision 1. Parsed, days are never inverted, and absent days are all days. */
export const time: MatchExtension = {
  kind: 'match',
  name: 'time',
  summary: 'The time of the day, the day of the week or month, and the date at which the packet arrives.',
  notes: [
    'Times are in UTC unless `--kerneltz` is given; `--utc` says so without being printed.',
    'With `--kerneltz` the kernel is asked about every packet just before the rules run.',
    'All rules that one packet meets on one hook see the same second. When the clock is set, the next packet sees it. A second begins up to one timer tick (1/CONFIG_HZ) earlier than for iptables, whose clock moves with the ticks.',
    'With `--contiguous` a time that begins before midnight goes on after it.',
  ],
  families: ['ipv4', 'ipv6'],
  layouts: XT_TIME,
  options: OPTIONS,
  normalise: (options) => fold(fold(without(options, 'utc'), 'weekdays', WEEKDAYS), 'monthdays', MONTHDAYS),
  check(options, ctx) {
    const start = always(options, 'timestart', 'integer').value;
    const stop = always(options, 'timestop', 'integer').value;
    if (options['contiguous'] === undefined || stop < start) return [];
    return refuse(MATCH, '--contiguous needs a --timestop before --timestart', ctx.span);
  },
  print(options, ctx) {
    const start = always(options, 'timestart', 'integer').value;
    const stop = always(options, 'timestop', 'integer').value;
    const wholeDay = start === 0n && stop === LAST_SECOND_OF_DAY;
    const fromEver = always(options, 'datestart', 'integer').value === 0n;
    // iptables also leaves out an end at the very beginning of time, and reads that back as the end of time. We do not.
    const idle = [...(wholeDay ? ['timestart', 'timestop'] : []), ...(fromEver ? ['datestart'] : [])];
    return printOptions(OPTIONS, without(options, ...idle), ctx);
  },
  lower(options, ctx) {
    // The kernel's time zone is nowhere a program could read it.
    if (options['kerneltz'] !== undefined) return asking(ctx, timeQuestion(options));
    return lowered(conditions(require(timeExpr(options))));
  },
};

/** time_mt, as one expression: the clock is read once for each packet. */
function timeExpr(options: OptionMap): Expr {
  const start = always(options, 'timestart', 'integer').value;
  const stop = always(options, 'timestop', 'integer').value;
  const dates = between(
    'clock.seconds',
    always(options, 'datestart', 'integer').value,
    always(options, 'datestop', 'integer').value,
  );
  if (start < stop) return all(dates, between('clock.daytime', start, stop), days(options, ''));
  const [early, late] = [between('clock.daytime', 0, stop), between('clock.daytime', start, LAST_SECOND_OF_DAY)];
  if (options['contiguous'] === undefined) return all(dates, any(early, late), days(options, ''));
  // What goes on after midnight belongs to the day before.
  const afterStop = between('clock.daytime', stop + 1n, LAST_SECOND_OF_DAY);
  return all(dates, any(all(early, days(options, 'Before')), all(late, afterStop, days(options, ''))));
}

function days(options: OptionMap, which: '' | 'Before'): Expr {
  return all(
    chosenDays(options, 'weekdays', WEEKDAYS, `clock.weekday${which}`),
    chosenDays(options, 'monthdays', MONTHDAYS, `clock.monthday${which}`),
  );
}

function chosenDays(
  options: OptionMap,
  name: 'weekdays' | 'monthdays',
  names: readonly string[],
  field: `clock.${'weekday' | 'monthday'}${'' | 'Before'}`,
): Expr {
  const chosen = given(options, name, 'set');
  if (chosen === undefined) return TRUE;
  const numbers = chosen.members.map((day) => BigInt(names.indexOf(day) + 1));
  return test(
    field,
    numbers.map((number) => ({ min: number, max: number })),
  );
}

/** Days that are ruled out become those that are left; all of them ask nothing. */
function fold(options: OptionMap, name: 'weekdays' | 'monthdays', all: readonly string[]): OptionMap {
  const days = given(options, name, 'set');
  if (days === undefined) return options;
  const members = all.filter((day) => days.members.includes(day) !== days.invert);
  const rest = without(options, name);
  return members.length === all.length ? rest : withOption(rest, name, { kind: 'set', members });
}

/** include/uapi/linux/netfilter/xt_time.h */
const FLAG = { LOCAL_TZ: 1, CONTIGUOUS: 2 } as const;
const ALL_MONTHDAYS = 0xffff_fffe;
const ALL_WEEKDAYS = 0xfe;

/** struct xt_time_info: date_start, date_stop, daytime_start, daytime_stop, monthdays u32, weekdays u8, flags u8. */
function timeQuestion(options: OptionMap): Question {
  const bits = (name: 'weekdays' | 'monthdays', names: readonly string[], all: number): number => {
    const chosen = given(options, name, 'set');
    return chosen === undefined ? all : chosen.members.reduce((sum, day) => sum + 2 ** (names.indexOf(day) + 1), 0);
  };
  return matchQuestion('time', 0, 24, (info) => {
    for (const [at, name] of ['datestart', 'datestop', 'timestart', 'timestop'].entries())
      info.u32(4 * at, always(options, name, 'integer').value);
    info.u32(16, bits('monthdays', MONTHDAYS, ALL_MONTHDAYS));
    info.u8(20, bits('weekdays', WEEKDAYS, ALL_WEEKDAYS));
    info.u8(21, FLAG.LOCAL_TZ | (options['contiguous'] === undefined ? 0 : FLAG.CONTIGUOUS));
  });
}
