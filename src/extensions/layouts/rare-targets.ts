/** Structures of the targets that change headers, and of the rare ones. */

import { prefixToMask } from '../../packet/address.ts';
import type { OptionMap } from '../contract.ts';
import { given } from '../options.ts';
import { address, constant, custom, flag, integer, keyword, masked, number, oneOf, plain, text } from './fields.ts';
import {
  be16,
  be32,
  bit,
  cleanText,
  isSet,
  LayoutError,
  type Place,
  readAddress,
  set,
  u8,
  u16,
  u32,
  write,
  writeAddress,
  type XtField,
  type XtLayout,
} from './layout.ts';

/** IPT_TTL_* and IP6T_HL_* of targets. */
export function hopChange(prefix: 'ttl' | 'hl'): readonly XtLayout[] {
  const modes = ['set', 'inc', 'dec'].map((verb, code) => ({ option: `${prefix}-${verb}`, code }));
  return [{ revision: 0, size: 8, fields: [oneOf(u8(0), modes, u8(1))] }];
}

export const TOS: readonly XtLayout[] = [{ revision: 1, size: 8, fields: [masked('set-tos', [u8(0), u8(1)])] }];
export const DSCP: readonly XtLayout[] = [{ revision: 0, size: 8, fields: [number('set-dscp', u8(0))] }];

/** struct ipt_ECN_info: operation u8, ip_ect u8, then two bits for the flags of TCP. */
export const ECN: readonly XtLayout[] = [
  {
    revision: 0,
    size: 8,
    fields: [
      number('ecn-ip-ect', u8(1), { present: bit(u8(0), 1) }),
      ...(['ecn-tcp-ece', 'ecn-tcp-cwr'] as const).map((name, at) =>
        custom(
          (options, info) => {
            const use = given(options, name, 'integer');
            if (use === undefined) return;
            set(info, bit(u8(0), 0x10 << at));
            if (use.value !== 0n) set(info, bit(u8(2), 1 << at));
          },
          (info): OptionMap => {
            if (!isSet(info, bit(u8(0), 0x10 << at))) return {};
            return { [name]: integer(isSet(info, bit(u8(2), 1 << at)) ? 1n : 0n) };
          },
        ),
      ),
    ],
  },
];

export const CLASSIFY: readonly XtLayout[] = [{ revision: 0, size: 8, fields: [number('set-class', u32(0))] }];
export const AUDIT: readonly XtLayout[] = [
  { revision: 0, size: 8, fields: [keyword('type', u8(0), { accept: 0, drop: 1, reject: 2 })] },
];
export const CHECKSUM: readonly XtLayout[] = [{ revision: 0, size: 8, fields: [flag('checksum-fill', bit(u8(0), 1))] }];
export const CONNSECMARK: readonly XtLayout[] = [
  {
    revision: 0,
    size: 8,
    fields: [
      oneOf(u8(0), [
        { option: 'save', code: 1 },
        { option: 'restore', code: 2 },
      ]),
    ],
  },
];
export const TRACE: readonly XtLayout[] = [{ revision: 0, size: 0, fields: [] }];

/** struct xt_secmark_target_info_v1, and the one before, where the kernel's number comes first. */
export const SECMARK: readonly XtLayout[] = [
  { revision: 1, size: 264, userSize: 257, fields: [constant(u8(0), 1n), text('selctx', 1, 256)] },
  { revision: 0, size: 264, fields: [constant(u8(0), 1n), text('selctx', 8, 256)] },
];

export const LED: readonly XtLayout[] = [
  {
    revision: 0,
    size: 40,
    userSize: 32,
    fields: [
      custom(
        (options, info, ctx) => {
          const name = given(options, 'led-trigger-id', 'text')?.text ?? '';
          const use = plain({ kind: 'text', text: `${LED_PREFIX}${name}` });
          ledName.put({ 'led-trigger-id': use }, info, ctx);
        },
        (info, ctx): OptionMap => {
          const full = given(ledName.get(info, ctx), 'led-trigger-id', 'text')?.text ?? '';
          if (!full.startsWith(LED_PREFIX)) throw new LayoutError(`the trigger "${full}" is not netfilter's`);
          return { 'led-trigger-id': plain({ kind: 'text', text: full.slice(LED_PREFIX.length) }) };
        },
        (info) => cleanText(info, 0, 27),
      ),
      flag('led-always-blink', bit(u8(27), 1)),
      number('led-delay', u32(28), { idle: 0n }),
    ],
  },
];
const LED_PREFIX = 'netfilter-';
const ledName = text('led-trigger-id', 0, 27);

/** struct idletimer_tg_info_v1, and the one before, which knows no alarms. */
export const IDLETIMER: readonly XtLayout[] = [
  {
    revision: 1,
    size: 48,
    userSize: 34,
    fields: [number('timeout', u32(0)), text('label', 4, 28), flag('alarm', bit(u8(33), 1))],
  },
  { revision: 0, size: 40, userSize: 32, fields: [number('timeout', u32(0)), text('label', 4, 28)] },
];

const SHORTEST = 250_000n;

/** struct xt_rateest_target_info: an interval of 2^n quarters of a second, n from -2 on, and the doublings of the average. */
export const RATEEST: readonly XtLayout[] = [
  {
    revision: 0,
    size: 32,
    userSize: 18,
    fields: [
      text('rateest-name', 0, 16),
      custom(
        (options, info) => {
          const interval = given(options, 'rateest-interval', 'integer')?.value ?? SHORTEST;
          const average = given(options, 'rateest-ewmalog', 'integer')?.value ?? interval;
          info.setInt8(16, logarithm(interval / SHORTEST) - 2);
          info.setUint8(17, logarithm(average / interval));
        },
        (info): OptionMap => {
          const [quarters, doublings] = [info.getInt8(16) + 2, info.getUint8(17)];
          if (quarters < 0 || quarters > 5 || doublings > 30)
            throw new LayoutError('its times are none that there are');
          const interval = SHORTEST << BigInt(quarters);
          return {
            'rateest-interval': integer(interval),
            'rateest-ewmalog': integer(interval << BigInt(doublings)),
          };
        },
      ),
    ],
  },
];

function logarithm(power: bigint): number {
  return power.toString(2).length - 1;
}

/** NF_SYNPROXY_OPT_* */
export const SYNPROXY: readonly XtLayout[] = [
  {
    revision: 0,
    size: 8,
    fields: [
      number('mss', u16(2), { present: bit(u8(0), 1) }),
      number('wscale', u8(1), { present: bit(u8(0), 2) }),
      flag('sack-perm', bit(u8(0), 4)),
      flag('timestamp', bit(u8(0), 8)),
      flag('ecn', bit(u8(0), 0x10)),
    ],
  },
];

export const TCPOPTSTRIP: readonly XtLayout[] = [
  {
    revision: 0,
    size: 32,
    fields: [
      custom(
        (options, info) => {
          for (const { min } of given(options, 'strip-options', 'ranges')?.ranges ?? [])
            set(info, bit(u32(4 * Number(min >> 5n)), 2 ** Number(min & 31n)));
        },
        (info): OptionMap => {
          const kinds = Array.from({ length: 256 }, (_, kind) => kind).filter((kind) =>
            isSet(info, bit(u32(4 * (kind >> 5)), 2 ** (kind & 31))),
          );
          if (kinds.length === 0) return {};
          const ranges = kinds.map((kind) => ({ min: BigInt(kind), max: BigInt(kind) }));
          return { 'strip-options': plain({ kind: 'ranges', ranges }) };
        },
      ),
    ],
  },
];

/** struct xt_tproxy_target_info_v1 */
export const TPROXY: readonly XtLayout[] = [
  {
    revision: 1,
    size: 32,
    fields: [masked('tproxy-mark', [u32(4), u32(0)]), address('on-ip', 8), number('on-port', be16(24))],
  },
];

/** struct ip6t_npt_tginfo: two prefixes, their lengths, and a checksum of the kernel's own. */
export const NPT: readonly XtLayout[] = [
  {
    revision: 0,
    size: 40,
    userSize: 34,
    fields: (['src-pfx', 'dst-pfx'] as const).map((name, at) =>
      custom(
        (options, info) => {
          const use = given(options, name, 'masked');
          if (use === undefined) throw new LayoutError(`there is no --${name}`);
          writeAddress(info, 16 * at, 'ipv6', use.value);
          write(info, u8(32 + at), BigInt([...use.mask.toString(2)].filter((digit) => digit === '1').length));
        },
        (info) => {
          const mask = prefixToMask(Math.min(info.getUint8(32 + at), 128), 'ipv6');
          return { [name]: plain({ kind: 'masked', value: readAddress(info, 16 * at, 'ipv6'), mask }) };
        },
      ),
    ),
  },
];

/** struct xt_hmark_info; flags have one bit for each field that counts. */
export const HMARK: readonly XtLayout[] = [
  {
    revision: 0,
    size: 64,
    fields: [
      prefix('hmark-src-prefix', 0, 0),
      prefix('hmark-dst-prefix', 16, 1),
      hmark('hmark-spi-mask', be32(32), 3),
      hmark('hmark-spi', be32(36), 2),
      hmark('hmark-sport-mask', be16(32), 6),
      hmark('hmark-dport-mask', be16(34), 7),
      hmark('hmark-sport', be16(36), 4),
      hmark('hmark-dport', be16(38), 5),
      hmark('hmark-proto-mask', u16(44), 8),
      hmark('hmark-rnd', u32(48), 9),
      hmark('hmark-mod', u32(52), 10),
      hmark('hmark-offset', u32(56), 11),
      custom(
        (options, info) => {
          if (options['hmark-tuple'] !== undefined) set(info, bit(u32(40), 1 << 12));
        },
        (info): OptionMap =>
          isSet(info, bit(u32(40), 1 << 12)) ? { 'hmark-tuple': plain({ kind: 'set', members: ['ct'] }) } : {},
      ),
    ],
  },
];

function hmark(option: string, place: Place, flagAt: number): XtField {
  return number(option, place, { present: bit(u32(40), 1 << flagAt) });
}

/** A prefix by its length; as a mask of the family in the structure. */
function prefix(option: string, at: number, flagAt: number): XtField {
  const present = bit(u32(40), 1 << flagAt);
  return custom(
    (options, info, { family }) => {
      const use = given(options, option, 'integer');
      if (use === undefined) return;
      writeAddress(info, at, family, prefixToMask(Number(use.value), family));
      set(info, present);
    },
    (info, { family }): OptionMap => {
      if (!isSet(info, present)) return {};
      const mask = readAddress(info, at, family);
      return { [option]: integer(BigInt([...mask.toString(2)].filter((digit) => digit === '1').length)) };
    },
  );
}
