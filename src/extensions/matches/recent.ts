import type { Family } from '../../packet/netfilter.ts';
import type { MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { RECENT as XT_RECENT } from '../layouts/stateful.ts';
import { always, cannot, given, lowered, refuse, requireOneOf, withOption, without } from '../options.ts';
import { flag } from '../values/flag.ts';
import { hostAddress } from '../values/host-address.ts';
import { integer } from '../values/integer.ts';
import { name } from '../values/name.ts';
import { U32_MAX } from '../values/numbers.ts';

const MATCH = 'match "recent"';
const ACTIONS = ['set', 'rcheck', 'update', 'remove'] as const;
/** XT_RECENT_NAME_LEN - 1 and XT_RECENT_MAX_NSTAMPS - 1. */
const LONGEST_NAME = 199;
const MOST_HITS = 65_535n;
/** A list's memory is taken at once: 3 MB at this many. */
const MOST_HITS_HERE = 4096;
const ALL_ONES = { ipv4: 0xffff_ffffn, ipv6: (1n << 128n) - 1n } as const;

const OPTIONS: readonly OptionSpec[] = [
  ...ACTIONS.map((action) => ({
    name: action,
    value: flag,
    invertible: true,
    excludes: ACTIONS.filter((other) => other !== action),
  })),
  { name: 'seconds', value: integer(1n, U32_MAX), syntax: 'n' },
  { name: 'reap', value: flag, requires: ['seconds'] },
  { name: 'hitcount', value: integer(0n, MOST_HITS), syntax: '0...65535' },
  { name: 'rttl', value: flag, excludes: ['set', 'remove'] },
  {
    name: 'name',
    value: name(LONGEST_NAME, { file: true }),
    syntax: 'name',
    default: { kind: 'text', text: 'DEFAULT' },
  },
  { name: 'mask', value: hostAddress, syntax: 'mask' },
  { name: 'rsource', value: flag },
  { name: 'rdest', value: flag },
];

/** xt_recent revision 1. */
export const recent: MatchExtension = {
  kind: 'match',
  name: 'recent',
  summary: 'Remembers addresses in a list, and tells when and how often they were seen.',
  notes: [
    'Lists of rules that run as programs are not under /proc/net/xt_recent: `bpfilter recent` shows and changes them.',
    'A list that rules of a table in the kernel (nat) name as well keeps the other tables that name it with the kernel, too.',
    'A list lives on through `apply` as long as a rule names it; one that needs room for more hits starts anew.',
  ],
  families: ['ipv4', 'ipv6'],
  layouts: XT_RECENT,
  options: OPTIONS,
  normalise(options, ctx) {
    const mask = { kind: 'integer', value: ALL_ONES[ctx.family] } as const;
    const masked = options['mask'] === undefined ? withOption(options, 'mask', mask) : options;
    return withoutIdleHits(withOneSide(masked));
  },
  lower(options, ctx) {
    const operation = ACTIONS.find((action) => options[action] !== undefined)!;
    const hits = number(options, 'hitcount');
    if (hits > MOST_HITS_HERE) return cannot(`a hit count above ${MOST_HITS_HERE} takes too much memory`);
    const state = ctx.addState({
      kind: 'recent',
      list: always(options, 'name', 'text').text,
      mask: listMask(options, ctx.family),
      hits,
    });
    const question = {
      operation,
      seconds: number(options, 'seconds'),
      hits,
      reap: options['reap'] !== undefined,
      ttl: options['rttl'] !== undefined,
      invert: options[operation]!.invert,
    } as const;
    const side = options['rdest'] === undefined ? 'source' : 'destination';
    return lowered([{ kind: 'stateful', test: { kind: 'recent', state, side, question }, invert: false }]);
  },
  check(options, ctx) {
    const missing = requireOneOf(MATCH, ACTIONS, options, ctx.span);
    if (missing.length > 0) return missing;
    const writes = ['set', 'remove'].find((action) => options[action] !== undefined);
    const limits = ['seconds', 'hitcount'].find((limit) => options[limit] !== undefined);
    if (writes === undefined || limits === undefined) return [];
    return refuse(MATCH, `--${limits} asks nothing of --${writes}, and the kernel refuses it`, ctx.span);
  },
};

/** Of the two sides the one given last counts; the source is meant if none is given. */
function withOneSide(options: OptionMap): OptionMap {
  const source = options['rsource'];
  const destination = options['rdest'];
  if (destination === undefined) {
    return source === undefined ? withOption(options, 'rsource', { kind: 'flag' }) : options;
  }
  const sourceLast = (source?.span?.start ?? -1) > (destination.span?.start ?? -1);
  return without(options, sourceLast ? 'rdest' : 'rsource');
}

function withoutIdleHits(options: OptionMap): OptionMap {
  return given(options, 'hitcount', 'integer')?.value === 0n ? without(options, 'hitcount') : options;
}

function number(options: OptionMap, name: string): number {
  return Number(given(options, name, 'integer')?.value ?? 0n);
}

/**
 * What a list that this rule makes does to addresses of either family. iptables hands over all ones without `--mask`; with one,
 * an IPv4 mask has nothing behind it, and IPv6 addresses keep 32 bits at most.
 */
function listMask(options: OptionMap, family: Family): bigint {
  const mask = options['mask'];
  const value = given(options, 'mask', 'integer')?.value ?? ALL_ONES[family];
  if (family === 'ipv6') return value;
  const usual = mask?.span === undefined && value === ALL_ONES.ipv4;
  return usual ? ALL_ONES.ipv6 : value << 96n;
}
