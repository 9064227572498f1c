/** Structures of the matches that remember something, or know sets and clocks. */

import type { OptionMap } from '../contract.ts';
import { given } from '../options.ts';
import { MONTHDAYS, WEEKDAYS } from '../values/days.ts';
import { custom, flag, integer, number, oneOf, plain, text } from './fields.ts';
import {
  bit,
  isSet,
  LayoutError,
  read,
  readAddress,
  set,
  u8,
  u16,
  u32,
  u64,
  write,
  writeAddress,
  type XtContext,
  type XtField,
  type XtLayout,
} from './layout.ts';

export const LIMIT: readonly XtLayout[] = [
  { revision: 0, size: 40, userSize: 8, fields: [number('limit', u32(0)), number('limit-burst', u32(4))] },
];

export const QUOTA: readonly XtLayout[] = [
  { revision: 0, size: 24, userSize: 16, fields: [number('quota', u64(8), { invert: bit(u32(0), 1) })] },
];

const NTH = 1n;

/** struct xt_statistic_info: the kernel counts from 0 to `every`, and the packet that takes the count back to 0 matches. */
export const STATISTIC: readonly XtLayout[] = [
  {
    revision: 0,
    size: 24,
    userSize: 16,
    fields: [
      custom(
        (options, info) => {
          const mode = given(options, 'mode', 'integer')?.value ?? 0n;
          const use = given(options, mode === NTH ? 'every' : 'probability', 'integer');
          if (use === undefined) throw new LayoutError('there is no number');
          write(info, u16(0), mode);
          if (use.invert) set(info, bit(u16(2), 1));
          if (mode !== NTH) return write(info, u32(4), use.value);
          const packet = given(options, 'packet', 'integer')?.value ?? 0n;
          write(info, u32(4), use.value - 1n);
          write(info, u32(8), packet);
          return write(info, u32(12), use.value - 1n - packet);
        },
        (info): OptionMap => {
          const mode = read(info, u16(0));
          const invert = isSet(info, bit(u16(2), 1));
          const value = read(info, u32(4));
          if (mode !== NTH) return { mode: integer(mode), probability: { value: { kind: 'integer', value }, invert } };
          return {
            mode: integer(mode),
            every: { value: { kind: 'integer', value: value + 1n }, invert },
            packet: integer(read(info, u32(8))),
          };
        },
        (info) => {
          // The rest of the union belongs to the other mode.
          if (read(info, u16(0)) !== NTH) info.setBigUint64(8, 0n);
        },
      ),
    ],
  },
];

const ALL_ONES = { ipv4: 0xffff_ffffn, ipv6: (1n << 128n) - 1n } as const;

/** XT_RECENT_* */
const ACTIONS = { rcheck: 1, set: 2, update: 4, remove: 8 } as const;

function recentFields(size: number): readonly XtField[] {
  return [
    number('seconds', u32(0), { idle: 0n }),
    number('hitcount', u32(4), { idle: 0n }),
    ...Object.entries(ACTIONS).map(([name, code]) => flag(name, bit(u8(8), code), bit(u8(9), 1))),
    flag('rttl', bit(u8(8), 0x10)),
    flag('reap', bit(u8(8), 0x20)),
    text('name', 10, 200),
    custom(
      (options, info) => write(info, u8(210), options['rdest'] === undefined ? 0n : 1n),
      (info) => ({ [read(info, u8(210)) === 0n ? 'rsource' : 'rdest']: plain({ kind: 'flag' }) }),
    ),
    ...(size > 216
      ? [recentMask]
      : [{ put: () => {}, get: (_info: DataView, { family }: XtContext) => ({ mask: integer(ALL_ONES[family]) }) }]),
  ];
}

/** Without `--mask` iptables hands over sixteen bytes of ones; with one, an IPv4 mask has zeros behind it. */
const recentMask: XtField = {
  put(options, info, { family }) {
    const value = given(options, 'mask', 'integer')?.value ?? ALL_ONES[family];
    if (value === ALL_ONES.ipv4 && family === 'ipv4' && options['mask']?.span === undefined)
      return writeAddress(info, 212, 'ipv6', ALL_ONES.ipv6);
    return writeAddress(info, 212, family, value);
  },
  get(info, { family }) {
    const value = readAddress(info, 212, family);
    if (family === 'ipv6' || value !== ALL_ONES.ipv4 || readAddress(info, 212, 'ipv6') === ALL_ONES.ipv6)
      return { mask: integer(value) };
    // A place in a text is what tells a mask that was written from the one that is always there.
    return { mask: { ...integer(value), span: { source: { name: '--mask', text: '' }, start: 0, end: 0 } } };
  },
};

/** struct xt_recent_mtinfo_v1; revision 0 has no mask. */
export const RECENT: readonly XtLayout[] = [
  { revision: 1, size: 232, fields: recentFields(232) },
  { revision: 0, size: 216, fields: recentFields(216) },
];

const ALL_MONTHDAYS = 0xffff_fffen;
const ALL_WEEKDAYS = 0xfen;

function days(option: string, place: ReturnType<typeof u32>, names: readonly string[], all: bigint): XtField {
  return custom(
    (options, info) => {
      const chosen = given(options, option, 'set');
      const bits = chosen?.members.reduce((sum, day) => sum | (1n << BigInt(names.indexOf(day) + 1)), 0n);
      write(info, place, bits ?? all);
    },
    (info): OptionMap => {
      const bits = read(info, place);
      if (bits === all) return {};
      const members = names.filter((_day, at) => (bits & (1n << BigInt(at + 1))) !== 0n);
      return { [option]: plain({ kind: 'set', members }) };
    },
  );
}

/** struct xt_time_info */
export const TIME: readonly XtLayout[] = [
  {
    revision: 0,
    size: 24,
    fields: [
      ...['datestart', 'datestop', 'timestart', 'timestop'].map((name, at) => number(name, u32(4 * at))),
      days('monthdays', u32(16), MONTHDAYS, ALL_MONTHDAYS),
      days('weekdays', u8(20), WEEKDAYS, ALL_WEEKDAYS),
      flag('kerneltz', bit(u8(21), 1)),
      flag('contiguous', bit(u8(21), 2)),
    ],
  },
];

/** IPSET_INVALID_ID */
const NO_SET = 0xffffn;

/** struct xt_set_info: index u16, number of dimensions u8, flags u8 (bit 0 inverts, then one for each dimension: source). */
export function setReference(option: string, at: number, invertible: boolean): XtField {
  return {
    put(options, info, { sets }) {
      const use = given(options, option, 'set');
      if (use === undefined) return write(info, u16(at), NO_SET);
      const [name = '', ...sides] = use.members;
      const index = sets?.indexOf(name);
      if (index === undefined) throw new LayoutError(`there is no set "${name}"`);
      write(info, u16(at), BigInt(index));
      write(info, u8(at + 2), BigInt(sides.length));
      const flags = sides.reduce((bits, side, place) => (side === 'src' ? bits | (2 << place) : bits), 0);
      return write(info, u8(at + 3), BigInt(flags | (invertible && use.invert ? 1 : 0)));
    },
    get(info, { sets }): OptionMap {
      const index = read(info, u16(at));
      if (index === NO_SET) return {};
      const name = sets?.nameOf(Number(index));
      if (name === undefined) throw new LayoutError(`there is no set with the number ${index}`);
      const flags = info.getUint8(at + 3);
      const sides = Array.from({ length: Math.min(info.getUint8(at + 2), 6) }, (_, place) =>
        (flags & (2 << place)) === 0 ? 'dst' : 'src',
      );
      return { [option]: { value: { kind: 'set', members: [name, ...sides] }, invert: (flags & 1) !== 0 } };
    },
  };
}

function setCounter(what: 'packets' | 'bytes', at: number): XtField {
  const modes = [
    { option: `${what}-eq`, code: 1 },
    { option: `${what}-eq`, code: 2, inverted: true },
    { option: `${what}-lt`, code: 3 },
    { option: `${what}-gt`, code: 4 },
  ] as const;
  const field = oneOf(u8(at + 8), modes, u64(at));
  return {
    put: (options, info, ctx) => {
      if (modes.some(({ option }) => options[option] !== undefined)) field.put(options, info, ctx);
    },
    get: (info, ctx) => (read(info, u8(at + 8)) === 0n ? {} : field.get(info, ctx)),
  };
}

/** An option that is only ever there inverted. */
function ruledOut(option: string, place: ReturnType<typeof bit>): XtField {
  return custom(
    (options, info) => {
      if (options[option]?.invert === true) set(info, place);
    },
    (info): OptionMap => (isSet(info, place) ? { [option]: { value: { kind: 'flag' }, invert: true } } : {}),
  );
}

/** struct xt_set_info_match_v4 */
export const SET: readonly XtLayout[] = [
  {
    revision: 4,
    size: 48,
    fields: [
      setReference('match-set', 0, true),
      setCounter('packets', 8),
      setCounter('bytes', 24),
      ruledOut('update-counters', bit(u32(40), 1 << 3)),
      ruledOut('update-subcounters', bit(u32(40), 1 << 4)),
      flag('return-nomatch', bit(u32(40), 1 << 7)),
    ],
  },
];

/** struct xt_set_info_target_v3 */
export const SET_TARGET: readonly XtLayout[] = [
  {
    revision: 3,
    size: 24,
    fields: [
      setReference('add-set', 0, false),
      setReference('del-set', 4, false),
      setReference('map-set', 8, false),
      flag('exist', bit(u32(12), 1)),
      ...['map-mark', 'map-prio', 'map-queue'].map((name, at) => flag(name, bit(u32(12), 0x100 << at))),
      number('timeout', u32(16), { idle: 0xffff_ffffn }),
    ],
  },
];

const COMPARE = [
  { option: 'rateest-eq', code: 1n },
  { option: 'rateest-lt', code: 2n },
  { option: 'rateest-gt', code: 3n },
] as const;
/** XT_RATEEST_MATCH_* */
const RATE = { INVERT: 1n, ABS: 2n, REL: 4n, DELTA: 8n, BPS: 16n, PPS: 32n } as const;

/** struct xt_rateest_match_info */
export const RATEEST: readonly XtLayout[] = [
  {
    revision: 0,
    size: 72,
    userSize: 52,
    fields: [
      text('rateest1', 0, 16),
      text('rateest2', 16, 16, { optional: true }),
      custom(
        (options, info) => {
          const mode = COMPARE.find(({ option }) => options[option] !== undefined);
          if (mode === undefined) throw new LayoutError('nothing is compared');
          const has = (name: string, flags: bigint): bigint => (options[name] === undefined ? 0n : flags);
          const kinds = has('rateest-bps2', RATE.BPS) | has('rateest-pps2', RATE.PPS);
          const relative = options['rateest2'] === undefined ? RATE.ABS : RATE.REL;
          const invert = options[mode.option]?.invert === true ? RATE.INVERT : 0n;
          write(info, u16(32), kinds | relative | invert | has('rateest-delta', RATE.DELTA));
          write(info, u16(34), mode.code);
          for (const [at, name] of ['rateest-bps1', 'rateest-pps1', 'rateest-bps2', 'rateest-pps2'].entries())
            write(info, u32(36 + 4 * at), given(options, name, 'integer')?.value ?? 0n);
        },
        (info): OptionMap => {
          const flags = read(info, u16(32));
          const mode = COMPARE.find(({ code }) => code === read(info, u16(34)));
          if (mode === undefined) throw new LayoutError('nothing is compared');
          const delta = (flags & RATE.DELTA) !== 0n;
          const numbers = (kind: 'bps' | 'pps', bitOf: bigint, at: number): OptionMap => {
            if ((flags & bitOf) === 0n) return {};
            const second = { [`rateest-${kind}2`]: integer(read(info, u32(at + 8))) };
            return delta ? { ...second, [`rateest-${kind}1`]: integer(read(info, u32(at))) } : second;
          };
          return {
            [mode.option]: { value: { kind: 'flag' }, invert: (flags & RATE.INVERT) !== 0n },
            ...(delta ? { 'rateest-delta': plain({ kind: 'flag' }) } : {}),
            ...numbers('bps', RATE.BPS, 36),
            ...numbers('pps', RATE.PPS, 40),
          };
        },
      ),
    ],
  },
];
