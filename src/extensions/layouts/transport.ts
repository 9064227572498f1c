/** Structures of the matches on transport headers. */

import type { OptionUse } from '../../rules/model.ts';
import type { OptionMap } from '../contract.ts';
import { given } from '../options.ts';
import { CHUNK_TYPES, chunkFlags, chunkItem } from '../values/chunk-types.ts';
import { custom, flag, masked, number, range, wordBits } from './fields.ts';
import { bit, isSet, LayoutError, read, set, u8, u16, u32, write, type XtField, type XtLayout } from './layout.ts';

const PORTS = [0n, 0xffffn] as const;
const ANY32 = [0n, 0xffff_ffffn] as const;

export const TCP: readonly XtLayout[] = [
  {
    revision: 0,
    size: 16,
    fields: [
      range('sport', [u16(0), u16(2)], { idle: PORTS, invert: bit(u8(11), 1) }),
      range('dport', [u16(4), u16(6)], { idle: PORTS, invert: bit(u8(11), 2) }),
      number('tcp-option', u8(8), { idle: 0n, invert: bit(u8(11), 8) }),
      masked('tcp-flags', [u8(10), u8(9)], { zeroIsAbsent: true, invert: bit(u8(11), 4) }),
    ],
  },
];

/** UDP and UDP-Lite. */
export const UDP: readonly XtLayout[] = [
  {
    revision: 0,
    size: 16,
    fields: [
      range('sport', [u16(0), u16(2)], { idle: PORTS, invert: bit(u8(8), 1) }),
      range('dport', [u16(4), u16(6)], { idle: PORTS, invert: bit(u8(8), 2) }),
    ],
  },
];

function icmpFields(option: string): readonly XtField[] {
  const invert = bit(u8(3), 1);
  return [
    custom(
      (options, info) => {
        const use = given(options, option, 'ranges');
        const [type, codes] = use?.ranges ?? [];
        if (use === undefined || type === undefined || codes === undefined) throw new LayoutError('there is no type');
        write(info, u8(0), type.min);
        write(info, u8(1), codes.min);
        write(info, u8(2), codes.max);
        if (use.invert) set(info, invert);
      },
      (info) => {
        const type = read(info, u8(0));
        const ranges = [
          { min: type, max: type },
          { min: read(info, u8(1)), max: read(info, u8(2)) },
        ];
        return { [option]: { value: { kind: 'ranges', ranges }, invert: isSet(info, invert) } };
      },
    ),
  ];
}

export const ICMP: readonly XtLayout[] = [{ revision: 0, size: 8, fields: icmpFields('icmp-type') }];
export const ICMP6: readonly XtLayout[] = [{ revision: 0, size: 8, fields: icmpFields('icmpv6-type') }];

const SIDES = ['sports', 'dports', 'ports'] as const;

/** struct xt_multiport_v1: flags u8, count u8, ports u16[15], pflags u8[15] (1: the next one is the other end), invert u8. */
export const MULTIPORT: readonly XtLayout[] = [
  {
    revision: 1,
    size: 48,
    fields: [
      custom(
        (options, info) => {
          const side = SIDES.findIndex((name) => options[name] !== undefined);
          const list = given(options, SIDES[side] ?? '', 'ranges');
          if (list === undefined) throw new LayoutError('there are no ports');
          let count = 0;
          for (const { min, max } of list.ranges) {
            write(info, u16(2 + 2 * count), min);
            if (min !== max) {
              write(info, u8(32 + count++), 1n);
              write(info, u16(2 + 2 * count), max);
            }
            count++;
          }
          write(info, u8(0), BigInt(side));
          write(info, u8(1), BigInt(count));
          if (list.invert) write(info, u8(47), 1n);
        },
        (info) => {
          const side = SIDES[Number(read(info, u8(0)))];
          const count = Number(read(info, u8(1)));
          if (side === undefined || count > 15) throw new LayoutError(`${count} ports of an unknown side`);
          const ranges: { min: bigint; max: bigint }[] = [];
          for (let at = 0; at < count; at++) {
            const min = read(info, u16(2 + 2 * at));
            const isRange = read(info, u8(32 + at)) !== 0n && at + 1 < count;
            ranges.push({ min, max: isRange ? read(info, u16(2 + 2 * ++at)) : min });
          }
          return { [side]: { value: { kind: 'ranges', ranges }, invert: read(info, u8(47)) !== 0n } };
        },
      ),
    ],
  },
];

/** The IPv4 match and the kernel's esp. */
export function spis(option: string): readonly XtLayout[] {
  return [{ revision: 0, size: 16, fields: [range(option, [u32(0), u32(4)], { idle: ANY32, invert: bit(u8(8), 1) })] }];
}

export const IPCOMP: readonly XtLayout[] = [
  {
    revision: 0,
    size: 16,
    fields: [
      range('ipcompspi', [u32(0), u32(4)], { idle: ANY32, invert: bit(u8(8), 1) }),
      flag('compres', bit(u8(9), 1)),
    ],
  },
];

const DCCP_TYPES = Object.fromEntries(
  ['REQUEST', 'RESPONSE', 'DATA', 'ACK', 'DATAACK', 'CLOSEREQ', 'CLOSE', 'RESET', 'SYNC', 'SYNCACK', 'INVALID'].map(
    (word, at) => [word, 1 << at],
  ),
);

/** struct xt_dccp_info: destination before source. */
export const DCCP: readonly XtLayout[] = [
  {
    revision: 0,
    size: 16,
    fields: [
      range('dport', [u16(0), u16(2)], { present: bit(u16(8), 2), invert: bit(u16(10), 2) }),
      range('sport', [u16(4), u16(6)], { present: bit(u16(8), 1), invert: bit(u16(10), 1) }),
      wordBits('dccp-types', u16(12), DCCP_TYPES, { present: bit(u16(8), 4), invert: bit(u16(10), 4), none: [] }),
      number('dccp-option', u8(14), { present: bit(u16(8), 8), invert: bit(u16(10), 8) }),
    ],
  },
];

const CHUNK_WORDS = 64;
/** SCTP_CHUNK_MATCH_* */
const HOW = { any: 1, all: 2, only: 4 } as const;
const [MAP_AT, HOW_AT, FLAGS_AT, FLAG_COUNT_AT] = [8, 264, 268, 280];
const MOST_FLAGS = 4;

function putChunks(options: OptionMap, info: DataView): void {
  const use = given(options, 'chunk-types', 'set');
  if (use === undefined) return;
  const [how = '', ...items] = use.members;
  write(info, u32(HOW_AT), BigInt(HOW[how as keyof typeof HOW] ?? 0));
  let flags = 0;
  if (items[0] === 'ALL') for (let at = 0; at < CHUNK_WORDS; at++) write(info, u32(MAP_AT + 4 * at), 0xffff_ffffn);
  for (const item of items[0] === 'ALL' || items[0] === 'NONE' ? [] : items) {
    const type = CHUNK_TYPES[item.split(':')[0] ?? ''];
    if (type === undefined) throw new LayoutError(`there is no chunk ${item}`);
    set(info, bit(u32(MAP_AT + 4 * (type >> 5)), 2 ** (type & 31)));
    const wanted = chunkFlags(item);
    if (wanted === undefined) continue;
    if (flags === MOST_FLAGS) throw new LayoutError(`more than ${MOST_FLAGS} chunks with flags`);
    const at = FLAGS_AT + 3 * flags++;
    write(info, u8(at), BigInt(type));
    write(info, u8(at + 1), BigInt(wanted.value));
    write(info, u8(at + 2), BigInt(wanted.mask));
  }
  write(info, u32(FLAG_COUNT_AT), BigInt(flags));
  set(info, bit(u32(284), 4));
  if (use.invert) set(info, bit(u32(288), 4));
}

/** Flags that are not counted; iptables leaves 255 as the type of those. */
function cleanChunks(info: DataView): void {
  for (let at = info.getUint32(FLAG_COUNT_AT, true); at < MOST_FLAGS; at++)
    for (let byte = 0; byte < 3; byte++) info.setUint8(FLAGS_AT + 3 * at + byte, 0);
}

function getChunks(info: DataView): OptionMap {
  if (!isSet(info, bit(u32(284), 4))) return {};
  const how = Object.keys(HOW).find((key) => BigInt(HOW[key as keyof typeof HOW]) === read(info, u32(HOW_AT)));
  if (how === undefined) throw new LayoutError('it is not said how chunks are compared');
  const words = Array.from({ length: CHUNK_WORDS }, (_, at) => read(info, u32(MAP_AT + 4 * at)));
  const items: string[] = [];
  if (words.every((word) => word === 0xffff_ffffn)) items.push('ALL');
  else if (words.every((word) => word === 0n)) items.push('NONE');
  else {
    const flags = new Map<number, { value: number; mask: number }>();
    for (let at = 0; at < Math.min(Number(read(info, u32(FLAG_COUNT_AT))), MOST_FLAGS); at++) {
      const [type, value, mask] = [0, 1, 2].map((offset) => info.getUint8(FLAGS_AT + 3 * at + offset));
      flags.set(type!, { value: value!, mask: mask! });
    }
    for (const [name, type] of Object.entries(CHUNK_TYPES)) {
      if (((words[type >> 5] ?? 0n) & (1n << BigInt(type & 31))) !== 0n) items.push(chunkItem(name, flags.get(type)));
    }
  }
  const use: OptionUse = { value: { kind: 'set', members: [how, ...items] }, invert: isSet(info, bit(u32(288), 4)) };
  return { 'chunk-types': use };
}

/** struct xt_sctp_info */
export const SCTP: readonly XtLayout[] = [
  {
    revision: 0,
    size: 296,
    fields: [
      range('dport', [u16(0), u16(2)], { present: bit(u32(284), 2), invert: bit(u32(288), 2) }),
      range('sport', [u16(4), u16(6)], { present: bit(u32(284), 1), invert: bit(u32(288), 1) }),
      custom(putChunks, getChunks, cleanChunks),
    ],
  },
];

export const TCPMSS: readonly XtLayout[] = [
  { revision: 0, size: 8, fields: [range('mss', [u16(0), u16(2)], { invert: bit(u8(4), 1) })] },
];

/** IPT_ECN_OP_MATCH_* */
export const ECN: readonly XtLayout[] = [
  {
    revision: 0,
    size: 8,
    fields: [
      flag('ecn-tcp-ece', bit(u8(0), 0x10), bit(u8(1), 0x10)),
      flag('ecn-tcp-cwr', bit(u8(0), 0x20), bit(u8(1), 0x20)),
      number('ecn-ip-ect', u8(2), { present: bit(u8(0), 1), invert: bit(u8(1), 1) }),
    ],
  },
];

export const LENGTH: readonly XtLayout[] = [
  { revision: 0, size: 8, fields: [range('length', [u16(0), u16(2)], { invert: bit(u8(4), 1) })] },
];
