/** Structures of the matches on the extension headers of IPv6. */

import { given } from '../options.ts';
import { custom, flag, network, number, range, wordBits } from './fields.ts';
import {
  bit,
  isSet,
  LayoutError,
  type Place,
  read,
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

const ANY32 = [0n, 0xffff_ffffn] as const;

/** struct ip6t_ah; the reserved field is asked for by a byte of its own. */
export const AH6: readonly XtLayout[] = [
  {
    revision: 0,
    size: 16,
    fields: [
      range('ahspi', [u32(0), u32(4)], { idle: ANY32, invert: bit(u8(13), 1) }),
      number('ahlen', u32(8), { idle: 0n, invert: bit(u8(13), 2) }),
      flag('ahres', bit(u8(12), 1)),
    ],
  },
];

/** struct ip6t_frag */
export const FRAG: readonly XtLayout[] = [
  {
    revision: 0,
    size: 16,
    fields: [
      custom(
        (options, info) => {
          if (options['fragid'] !== undefined) set(info, bit(u8(12), 1));
        },
        () => ({}),
      ),
      range('fragid', [u32(0), u32(4)], { idle: ANY32, invert: bit(u8(13), 1) }),
      number('fraglen', u32(8), { present: bit(u8(12), 2), invert: bit(u8(13), 2) }),
      flag('fragres', bit(u8(12), 4)),
      flag('fragfirst', bit(u8(12), 8)),
      flag('fragmore', bit(u8(12), 0x10)),
      flag('fraglast', bit(u8(12), 0x20)),
    ],
  },
];

const MOST_OPTIONS = 16;

/** struct ip6t_opts: an option is its type times 256 and its length, 255 for any. */
export function optionHeader(name: 'dst' | 'hbh'): readonly XtLayout[] {
  return [
    {
      revision: 0,
      size: 40,
      fields: [
        number(`${name}-len`, u32(0), { present: bit(u8(4), 1), invert: bit(u8(5), 1) }),
        custom(
          (options, info) => {
            const use = given(options, `${name}-opts`, 'ranges');
            if (use === undefined) return;
            for (const [at, { min, max }] of use.ranges.entries()) write(info, u16(6 + 2 * at), (min << 8n) | max);
            write(info, u8(38), BigInt(use.ranges.length));
            set(info, bit(u8(4), 2));
          },
          (info): ReturnType<XtField['get']> => {
            if (!isSet(info, bit(u8(4), 2))) return {};
            const count = Number(read(info, u8(38)));
            if (count > MOST_OPTIONS) throw new LayoutError(`${count} options`);
            const ranges = Array.from({ length: count }, (_, at) => {
              const option = read(info, u16(6 + 2 * at));
              return { min: option >> 8n, max: option & 0xffn };
            });
            return { [`${name}-opts`]: { value: { kind: 'ranges', ranges }, invert: false } };
          },
        ),
      ],
    },
  ];
}

const MOST_ADDRESSES = 16;

/** struct ip6t_rt */
export const RT: readonly XtLayout[] = [
  {
    revision: 0,
    size: 280,
    fields: [
      number('rt-type', u32(0), { present: bit(u8(16), 1), invert: bit(u8(17), 1) }),
      custom(
        (options, info) => {
          if (options['rt-segsleft'] !== undefined) set(info, bit(u8(16), 2));
        },
        () => ({}),
      ),
      range('rt-segsleft', [u32(4), u32(8)], { idle: ANY32, invert: bit(u8(17), 2) }),
      number('rt-len', u32(12), { present: bit(u8(16), 4), invert: bit(u8(17), 4) }),
      flag('rt-0-res', bit(u8(16), 8)),
      custom(
        (options, info) => {
          const use = given(options, 'rt-0-addrs', 'ranges');
          if (use === undefined) return;
          for (const [at, { min }] of use.ranges.entries()) writeAddress(info, 20 + 16 * at, 'ipv6', min);
          write(info, u8(276), BigInt(use.ranges.length));
          set(info, bit(u8(16), 0x10));
        },
        (info): ReturnType<XtField['get']> => {
          if (!isSet(info, bit(u8(16), 0x10))) return {};
          const count = Number(read(info, u8(276)));
          if (count > MOST_ADDRESSES) throw new LayoutError(`${count} addresses`);
          const ranges = Array.from({ length: count }, (_, at) => {
            const one = readAddress(info, 20 + 16 * at, 'ipv6');
            return { min: one, max: one };
          });
          return { 'rt-0-addrs': { value: { kind: 'ranges', ranges }, invert: false } };
        },
      ),
      flag('rt-0-not-strict', bit(u8(16), 0x20)),
    ],
  },
];

/** MASK_* of ip6t_ipv6header.h */
const HEADERS = {
  'hop-by-hop': 128,
  'ipv6-opts': 64,
  'ipv6-route': 32,
  'ipv6-frag': 16,
  ah: 8,
  esp: 4,
  'ipv6-nonxt': 2,
  protocol: 1,
} as const;

export const IPV6HEADER: readonly XtLayout[] = [
  {
    revision: 0,
    size: 8,
    fields: [
      custom(
        (options, info) => wordBits('header', u8(0), HEADERS, { none: [] }).put(plainly(options), info, NO_CONTEXT),
        (info) => {
          const inverted = read(info, u8(1)) !== 0n;
          const { header } = wordBits('header', u8(0), HEADERS, { none: [] }).get(info, NO_CONTEXT);
          return header === undefined ? {} : { header: { ...header, invert: inverted } };
        },
      ),
      // Inverted: the very bits that are asked for.
      custom(
        (options, info) => {
          if (options['header']?.invert === true) write(info, u8(1), 0xffn);
        },
        () => ({}),
      ),
      flag('soft', bit(u8(2), 1)),
    ],
  },
];

const NO_CONTEXT = { family: 'ipv6', ip: {} } as const;

function plainly(options: Parameters<XtField['put']>[0]): Parameters<XtField['put']>[0] {
  const use = options['header'];
  return use === undefined ? {} : { header: { ...use, invert: false } };
}

export const MH: readonly XtLayout[] = [
  { revision: 0, size: 8, fields: [range('mh-type', [u8(0), u8(1)], { idle: [0n, 255n], invert: bit(u8(2), 1) })] },
];

/** Flags of struct ip6t_srh1, in their order from bit 1 on: three comparisons of each of three bytes that share a number. */
const COMPARED = [
  ['hdr-len', 1],
  ['segs-left', 2],
  ['last-entry', 3],
] as const;
const [SRH_FLAGS, SRH_INVERTED]: readonly Place[] = [u16(102), u16(104)];

function srhBits(index: number): { readonly present: ReturnType<typeof bit>; readonly invert: ReturnType<typeof bit> } {
  return { present: bit(SRH_FLAGS!, 1 << index), invert: bit(SRH_INVERTED!, 1 << index) };
}

/** struct ip6t_srh1: addresses begin at byte 6, masks behind them. */
export const SRH: readonly XtLayout[] = [
  {
    revision: 1,
    size: 112,
    families: ['ipv6'],
    fields: [
      number('srh-next-hdr', u8(0), srhBits(0)),
      ...COMPARED.flatMap(([name, at], field) =>
        ['eq', 'gt', 'lt'].map((how, index) => number(`srh-${name}-${how}`, u8(at), srhBits(1 + 3 * field + index))),
      ),
      number('srh-tag', u16(4), srhBits(10)),
      network('srh-psid', 8, 56, srhBits(11)),
      network('srh-nsid', 24, 72, srhBits(12)),
      network('srh-lsid', 40, 88, srhBits(13)),
    ],
  },
];
