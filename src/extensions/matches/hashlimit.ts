import { ADDRESS_BITS } from '../../packet/address.ts';
import type { MatchExtension, OptionMap, OptionSpec, RuleContext } from '../contract.ts';
import { HASHLIMIT as XT_HASHLIMIT } from '../layouts/hashlimit.ts';
import { always, given, printOptions, refuse, requireOneOf, withOption, without } from '../options.ts';
import { exactWordSet } from '../values/exact-word-set.ts';
import { flag } from '../values/flag.ts';
import {
  byteCost,
  bytesOfCost,
  formatBytes,
  formatPacketRate,
  HASHLIMIT_SCALE,
  type HashRate,
  hashBurst,
  hashRate,
  readHashRate,
} from '../values/hash-rate.ts';
import { integer } from '../values/integer.ts';
import { name } from '../values/name.ts';
import { U32_MAX } from '../values/numbers.ts';
import { prefixLength } from '../values/prefix-length.ts';
import { hashlimitOverflows } from './hashlimit-credits.ts';
import { lowerHashlimit } from './hashlimit-lowering.ts';

const MATCH = 'match "hashlimit"';
const UPTO = 'hashlimit-upto';
const ABOVE = 'hashlimit-above';
const DEFAULT_BURST = 5n;
/** Milliseconds between two collections of idle entries. */
const DEFAULT_INTERVAL = 1000n;
/** XT_HASHLIMIT_BYTE_EXPIRE and, with a burst, XT_HASHLIMIT_BYTE_EXPIRE_BURST, in milliseconds. */
const BYTE_EXPIRE = { plain: 15_000n, burst: 60_000n } as const;
/** What a packet may cost at most that is not a burst of bytes. */
const MOST_PACKETS = 1_000_000n;
/** The kernel makes no more buckets. */
const MOST_BUCKETS = 1_048_576n;

const RATE = { value: hashRate, syntax: 'n[/second|minute|hour|day] or n[k|m]b/s', invertible: true } as const;
const NUMBER = { value: integer(0n, U32_MAX), syntax: 'n' } as const;
const MILLISECONDS = { value: integer(1n, U32_MAX), syntax: 'ms' } as const;

const OPTIONS: readonly OptionSpec[] = [
  { name: UPTO, aliases: ['hashlimit'], excludes: [ABOVE], ...RATE },
  { name: ABOVE, excludes: [UPTO], ...RATE },
  { name: 'hashlimit-burst', value: hashBurst, syntax: 'n or n[k|m]b' },
  {
    name: 'hashlimit-mode',
    value: exactWordSet(['srcip', 'srcport', 'dstip', 'dstport'], 'part of a packet to tell flows by'),
    syntax: 'srcip,srcport,dstip,dstport',
  },
  { name: 'hashlimit-name', value: name(254, { file: true }), syntax: 'name', mandatory: true },
  { name: 'hashlimit-htable-size', ...NUMBER },
  { name: 'hashlimit-htable-max', ...NUMBER },
  { name: 'hashlimit-htable-gcinterval', ...MILLISECONDS },
  { name: 'hashlimit-htable-expire', ...MILLISECONDS },
  { name: 'hashlimit-srcmask', value: prefixLength, syntax: 'length' },
  { name: 'hashlimit-dstmask', value: prefixLength, syntax: 'length' },
  { name: 'hashlimit-rate-match', value: flag },
  { name: 'hashlimit-rate-interval', value: integer(1n, U32_MAX), syntax: 'seconds' },
];

/** What a rule with this match comes to, in the kernel's terms (struct hashlimit_cfg3). */
export interface HashlimitConfig {
  /** True: matches above the rate, not up to it. */
  readonly above: boolean;
  readonly bytes: boolean;
  /** With bytes: what 16 of them cost, as a share of 2^32 - 1; else millionths of a second for each packet. */
  readonly average: bigint;
  /** Packets, or (with bytes) how many times the rate; 0: no burst. */
  readonly burst: bigint;
  /** Milliseconds. */
  readonly expire: bigint;
  readonly rateMatch: boolean;
  /** Seconds, for `--hashlimit-rate-match`. */
  readonly interval: bigint;
}

/** xt_hashlimit revision 3. */
export const hashlimit: MatchExtension = {
  kind: 'match',
  name: 'hashlimit',
  summary: 'Matches at no more (or no less) than a rate, counted for each address or port of its own.',
  notes: [
    'A burst in bytes is rounded up to a whole number of times the rate and printed exactly; iptables-save prints whole megabytes only.',
    'Rules with the same name share one table, made by the first of them. It lives on through `apply`, with its rate, as long as a rule names it. Rules that count in other units than the table, or of which only one looks at ports, stay with the kernel.',
    'Tables of rules that run as programs are not under /proc/net/ipt_hashlimit: `bpfilter hashlimit` shows them.',
    'An account that has expired goes at the next whole interval of `--hashlimit-htable-gcinterval` since boot; the kernel removes it at some time in such an interval.',
    'With ports in the mode, a rule needs a protocol (`-p`) to run as a program.',
  ],
  families: ['ipv4', 'ipv6'],
  layouts: XT_HASHLIMIT,
  options: OPTIONS,
  normalise: (options) => (options[UPTO] === undefined && options[ABOVE] === undefined ? options : canonical(options)),
  check(options, ctx) {
    const missing = requireOneOf(MATCH, [UPTO, ABOVE], options, ctx.span);
    const why = missing.length > 0 ? undefined : problem(options);
    return why === undefined ? missing : refuse(MATCH, why, ctx.span);
  },
  print: (options, ctx) => printOptions(OPTIONS, printable(options, ctx), ctx),
  lower: lowerHashlimit,
};

function rateOf(options: OptionMap): HashRate {
  const use = given(options, UPTO, 'text') ?? always(options, ABOVE, 'text');
  const rate = readHashRate(use.text);
  if (typeof rate === 'string') throw new TypeError(rate);
  return rate;
}

/** When an account may go, in milliseconds, if the rule does not say. */
function usualExpiry(rate: HashRate, burst: boolean): bigint {
  if (rate.kind === 'packets') return rate.seconds * 1000n;
  return burst ? BYTE_EXPIRE.burst : BYTE_EXPIRE.plain;
}

/** The kernel's view of parsed options. */
export function hashlimitConfig(options: OptionMap): HashlimitConfig {
  const rate = rateOf(options);
  const rateMatch = options['hashlimit-rate-match'] !== undefined;
  const seconds = rate.kind === 'packets' ? rate.seconds : 1n;
  const burst = given(options, 'hashlimit-burst', 'integer')?.value;
  const expire = usualExpiry(rate, burst !== undefined);
  const common = {
    above: options[ABOVE] !== undefined,
    rateMatch,
    expire: given(options, 'hashlimit-htable-expire', 'integer')?.value ?? expire,
    interval: given(options, 'hashlimit-rate-interval', 'integer')?.value ?? (rateMatch ? seconds : 1n),
  };
  if (rate.kind === 'bytes') {
    const average = byteCost(rate.bytes);
    const unit = bytesOfCost(average);
    return { ...common, bytes: true, average, burst: burst === undefined ? 0n : timesOf(burst, unit) };
  }
  // A window of its own takes the place of the unit.
  const average = (HASHLIMIT_SCALE * (rateMatch ? 1n : seconds)) / rate.count;
  return { ...common, bytes: false, average, burst: burst ?? DEFAULT_BURST };
}

/** The rate as the kernel rounds it, inversion folded, what depends on the unit written out before the unit is lost. */
function canonical(options: OptionMap): OptionMap {
  const first = options[UPTO] === undefined ? ABOVE : UPTO;
  const use = options[first];
  const name = use?.invert === true ? (first === UPTO ? ABOVE : UPTO) : first;
  const config = hashlimitConfig(options);
  if (config.average === 0n) return options;
  const text = rateText(config);
  const span = use?.span === undefined ? {} : { span: use.span };
  let result: OptionMap = {
    ...without(options, first),
    [name]: { value: { kind: 'text', text }, invert: false, ...span },
  };
  result = withOption(result, 'hashlimit-htable-expire', { kind: 'integer', value: config.expire });
  const interval = 'hashlimit-rate-interval';
  result = config.rateMatch
    ? withOption(result, interval, { kind: 'integer', value: config.interval })
    : without(result, interval);
  const size = given(result, 'hashlimit-htable-size', 'integer')?.value ?? 0n;
  if (size <= MOST_BUCKETS) return result;
  return withOption(result, 'hashlimit-htable-size', { kind: 'integer', value: MOST_BUCKETS });
}

function problem(options: OptionMap): string | undefined {
  const config = hashlimitConfig(options);
  const burst = given(options, 'hashlimit-burst', 'integer')?.value;
  if (config.average === 0n) return 'the rate is too fast';
  if (config.bytes) {
    const unit = bytesOfCost(config.average);
    if (burst === undefined) return undefined;
    return unit === 0n || burst < unit
      ? `the burst must be at least what the rate lets pass in a second, ${unit} bytes`
      : undefined;
  }
  if (burst !== undefined && burst > MOST_PACKETS) return `the burst must be from 1 to ${MOST_PACKETS} packets`;
  if (config.rateMatch || !hashlimitOverflows(config.average, config.burst)) return undefined;
  return 'the burst times the rate is more than the kernel can count; use a smaller burst';
}

/** Without what is as it would be anyway. */
function printable(options: OptionMap, ctx: RuleContext): OptionMap {
  const config = hashlimitConfig(options);
  const rate = rateOf(options);
  const usual: Readonly<Record<string, bigint>> = {
    'hashlimit-htable-size': 0n,
    'hashlimit-htable-max': 0n,
    'hashlimit-htable-gcinterval': DEFAULT_INTERVAL,
    'hashlimit-htable-expire': usualExpiry(rate, config.burst !== 0n),
    'hashlimit-srcmask': BigInt(ADDRESS_BITS[ctx.family]),
    'hashlimit-dstmask': BigInt(ADDRESS_BITS[ctx.family]),
    'hashlimit-rate-interval': 1n,
  };
  const idle = Object.keys(usual).filter((key) => given(options, key, 'integer')?.value === usual[key]);
  const shown = without(options, ...idle, 'hashlimit-burst');
  if (config.burst === 0n) return shown;
  return withOption(shown, 'hashlimit-burst', { kind: 'text', text: burstText(config) });
}

function rateText({ bytes, average }: HashlimitConfig): string {
  if (!bytes) return formatPacketRate(average).text;
  return `${formatBytes(bytesOfCost(average), (rounded) => byteCost(rounded) === average)}/s`;
}

function burstText({ bytes, average, burst }: HashlimitConfig): string {
  if (!bytes) return String(burst);
  const unit = bytesOfCost(average);
  return formatBytes(burst * unit, (rounded) => timesOf(rounded, unit) === burst);
}

/** A burst in bytes as a number of times the rate, rounded up. */
function timesOf(bytes: bigint, unit: bigint): bigint {
  return unit === 0n ? 0n : (bytes + unit - 1n) / unit;
}
