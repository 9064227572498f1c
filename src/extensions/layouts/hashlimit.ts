/** Structures of hashlimit. */

import type { OptionMap } from '../contract.ts';
import { hashlimitConfig } from '../matches/hashlimit.ts';
import { given } from '../options.ts';
import { byteCost, bytesOfCost, formatBytes, formatPacketRate } from '../values/hash-rate.ts';
import { custom, integer, number, plain, text } from './fields.ts';
import { LayoutError, type Place, read, u8, u32, u64, write, type XtField, type XtLayout } from './layout.ts';

/** XT_HASHLIMIT_* */
const MODE = { dstip: 1n, dstport: 2n, srcip: 4n, srcport: 8n } as const;
const FLAG = { INVERT: 16n, BYTES: 32n, RATE_MATCH: 64n } as const;
const PARTS = ['srcip', 'srcport', 'dstip', 'dstport'] as const;
/** Milliseconds. */
const DEFAULT_INTERVAL = 1000n;
const BITS = { ipv4: 32n, ipv6: 128n } as const;

interface Places {
  readonly avg: Place;
  readonly burst: Place;
  readonly mode: Place;
  readonly size: Place;
  readonly interval?: Place;
  readonly masks: number;
}

function fields(places: Places): readonly XtField[] {
  const { size } = places;
  const next = (count: number): Place => u32(size.at + 4 * count);
  return [
    custom(
      (options, info) => putRate(options, info, places),
      (info) => getRate(info, places),
    ),
    number('hashlimit-htable-size', size, { idle: 0n }),
    number('hashlimit-htable-max', next(1), { idle: 0n }),
    number('hashlimit-htable-gcinterval', next(2), { idle: DEFAULT_INTERVAL }),
    prefix('hashlimit-srcmask', u8(places.masks)),
    prefix('hashlimit-dstmask', u8(places.masks + 1)),
  ];
}

function prefix(option: string, place: Place): XtField {
  return {
    put: (options, info, ctx) => write(info, place, given(options, option, 'integer')?.value ?? BITS[ctx.family]),
    get(info, ctx): OptionMap {
      const value = read(info, place);
      return value === BITS[ctx.family] ? {} : { [option]: integer(value) };
    },
  };
}

function putRate(options: OptionMap, info: DataView, { avg, burst, mode, size, interval }: Places): void {
  const config = hashlimitConfig(options);
  const parts = given(options, 'hashlimit-mode', 'set')?.members ?? [];
  const flags = [
    ...parts.map((part) => MODE[part as keyof typeof MODE] ?? 0n),
    config.above ? FLAG.INVERT : 0n,
    config.bytes ? FLAG.BYTES : 0n,
    config.rateMatch ? FLAG.RATE_MATCH : 0n,
  ];
  write(info, avg, config.average);
  write(info, burst, config.burst);
  write(
    info,
    mode,
    flags.reduce((sum, bits) => sum | bits, 0n),
  );
  write(info, u32(size.at + 12), config.expire);
  if (interval !== undefined) write(info, interval, config.rateMatch ? config.interval : 0n);
}

function getRate(info: DataView, { avg, burst, mode, size, interval }: Places): OptionMap {
  const flags = read(info, mode);
  const average = read(info, avg);
  if (average === 0n) throw new LayoutError('there is no rate');
  const bytes = (flags & FLAG.BYTES) !== 0n;
  const members = PARTS.filter((part) => (flags & MODE[part]) !== 0n);
  const name = (flags & FLAG.INVERT) === 0n ? 'hashlimit-upto' : 'hashlimit-above';
  const count = read(info, burst);
  const rate = bytes
    ? `${formatBytes(bytesOfCost(average), (rounded) => byteCost(rounded) === average)}/s`
    : formatPacketRate(average).text;
  return {
    [name]: plain({ kind: 'text', text: rate }),
    ...(bytes && count === 0n ? {} : { 'hashlimit-burst': integer(bytes ? count * bytesOfCost(average) : count) }),
    ...(members.length === 0 ? {} : { 'hashlimit-mode': plain({ kind: 'set', members }) }),
    'hashlimit-htable-expire': integer(read(info, u32(size.at + 12))),
    ...((flags & FLAG.RATE_MATCH) === 0n
      ? {}
      : {
          'hashlimit-rate-match': plain({ kind: 'flag' }),
          'hashlimit-rate-interval': integer(interval === undefined ? 1n : read(info, interval)),
        }),
  };
}

/** struct xt_hashlimit_mtinfo3, and 2, which has no interval. */
export const HASHLIMIT: readonly XtLayout[] = [
  {
    revision: 3,
    size: 312,
    userSize: 304,
    fields: [
      text('hashlimit-name', 0, 255),
      ...fields({ avg: u64(256), burst: u64(264), mode: u32(272), size: u32(276), interval: u32(292), masks: 296 }),
    ],
  },
  {
    revision: 2,
    size: 304,
    userSize: 296,
    fields: [
      text('hashlimit-name', 0, 255),
      ...fields({ avg: u64(256), burst: u64(264), mode: u32(272), size: u32(276), masks: 292 }),
    ],
  },
];
