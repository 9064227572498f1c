import type { MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { always, given, printOptions, refuse, withOption, without } from '../options.ts';
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
    'With `--contiguous` a time that begins before midnight goes on after it.',
  ],
  families: ['ipv4', 'ipv6'],
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
    const toEver = always(options, 'datestop', 'integer').value === 0n;
    const idle = [
      ...(wholeDay ? ['timestart', 'timestop'] : []),
      ...(fromEver ? ['datestart'] : []),
      ...(toEver ? ['datestop'] : []),
    ];
    return printOptions(OPTIONS, without(options, ...idle), ctx);
  },
};

/** Days that are ruled out become those that are left; all of them ask nothing. */
function fold(options: OptionMap, name: 'weekdays' | 'monthdays', all: readonly string[]): OptionMap {
  const days = given(options, name, 'set');
  if (days === undefined) return options;
  const members = all.filter((day) => days.members.includes(day) !== days.invert);
  const rest = without(options, name);
  return members.length === all.length ? rest : withOption(rest, name, { kind: 'set', members });
}
