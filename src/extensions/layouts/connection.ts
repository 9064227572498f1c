/** Structures of the matches on connections. */

import { ADDRESS_BITS, prefixToMask } from '../../packet/address.ts';
import { given } from '../options.ts';
import { custom, flag, integer, keyword, masked, network, number, range, text, wordBits } from './fields.ts';
import {
  be16,
  bit,
  cleanAddress,
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
  type XtField,
  type XtLayout,
} from './layout.ts';

/** XT_CONNTRACK_STATE_* */
const STATES = { INVALID: 1, NEW: 8, RELATED: 4, ESTABLISHED: 2, UNTRACKED: 256, SNAT: 64, DNAT: 128 } as const;
const STATUSES = { NONE: 0, EXPECTED: 1, SEEN_REPLY: 2, ASSURED: 4, CONFIRMED: 8 } as const;
const FLAGS = u16(146);
const INVERTED = u16(148);
/** XT_CONNTRACK_STATE_ALIAS: the rule was written with `-m state`. */
const ALIAS = bit(FLAGS, 1 << 13);

function asked(mask: number) {
  return { present: bit(FLAGS, mask), invert: bit(INVERTED, mask) };
}

const ADDRESSES = ['ctorigsrc', 'ctorigdst', 'ctreplsrc', 'ctrepldst'] as const;

/** Revisions 1 and 2 have single ports in network order; revision 1 one byte each for states and statuses. */
function conntrackFields(revision: 1 | 2 | 3): readonly XtField[] {
  const [states, statuses] = revision === 1 ? [u8(150), u8(151)] : [u16(150), u16(152)];
  return [
    wordBits('ctstate', states, STATES, { ...asked(1), none: [] }),
    number('ctproto', u16(136), asked(2)),
    ...ADDRESSES.map((name, at) => network(name, 32 * at, 32 * at + 16, asked(4 << at))),
    wordBits('ctstatus', statuses, STATUSES, { ...asked(0x40), none: ['NONE'] }),
    range('ctexpire', [u32(128), u32(132)], asked(0x80)),
    ...ADDRESSES.map((name, at) => {
      const low = revision === 3 ? u16(138 + 2 * at) : be16(138 + 2 * at);
      return range(`${name}port`, [low, revision === 3 ? u16(154 + 2 * at) : low], asked(0x100 << at));
    }),
    custom(
      (options, info) => {
        const use = given(options, 'ctdir', 'integer');
        if (use === undefined) return;
        set(info, bit(FLAGS, 0x1000));
        if (use.value !== 0n) set(info, bit(INVERTED, 0x1000));
      },
      (info): ReturnType<XtField['get']> => {
        if (!isSet(info, bit(FLAGS, 0x1000))) return {};
        return { ctdir: integer(isSet(info, bit(INVERTED, 0x1000)) ? 1n : 0n) };
      },
    ),
  ];
}

const SIZES = { 1: 152, 2: 160, 3: 168 } as const;

export const CONNTRACK: readonly XtLayout[] = ([3, 2, 1] as const).map((revision) => ({
  revision,
  size: SIZES[revision],
  claims: (info: DataView) => !isSet(info, ALIAS),
  fields: conntrackFields(revision),
}));

const stateWords = { INVALID: 1, NEW: 8, RELATED: 4, ESTABLISHED: 2, UNTRACKED: 256 } as const;

export const STATE: readonly XtLayout[] = ([3, 2] as const).map((revision) => ({
  kernelName: 'conntrack',
  revision,
  size: SIZES[revision],
  claims: (info: DataView) => isSet(info, ALIAS),
  fields: [
    wordBits('state', u16(150), stateWords, { ...asked(1), none: [] }),
    custom(
      (_options, info) => set(info, ALIAS),
      () => ({}),
    ),
  ],
}));

/** The match of its own that -m state was before: one word of bits, inverted by giving the others. */
export const OLD_STATE: XtLayout = {
  revision: 0,
  size: 8,
  fields: [wordBits('state', u32(0), { INVALID: 1, NEW: 8, RELATED: 4, ESTABLISHED: 2, UNTRACKED: 64 })],
};

export const CONNMARK: readonly XtLayout[] = [
  { revision: 1, size: 16, fields: [masked('mark', [u32(0), u32(4)], { invert: bit(u8(8), 1) })] },
];

export const HELPER: readonly XtLayout[] = [
  { revision: 0, size: 40, fields: [text('helper', 4, 30, { invert: bit(u32(0), 1) })] },
];

/** XT_CONNLABEL_OP_* */
export const CONNLABEL: readonly XtLayout[] = [
  {
    revision: 0,
    size: 8,
    fields: [number('label', u16(0), { invert: bit(u16(2), 1) }), flag('set', bit(u16(2), 2))],
  },
];

/** struct xt_connbytes_info; an inverted range is one whose ends are exchanged. */
export const CONNBYTES: readonly XtLayout[] = [
  {
    revision: 0,
    size: 24,
    fields: [
      custom(
        (options, info) => {
          const use = given(options, 'connbytes', 'range');
          if (use === undefined) throw new LayoutError('there is no range');
          write(info, u64(use.invert ? 8 : 0), use.min);
          write(info, u64(use.invert ? 0 : 8), use.max);
        },
        (info) => {
          const [from, to] = [read(info, u64(0)), read(info, u64(8))];
          const invert = from > to;
          return {
            connbytes: { value: { kind: 'range', min: invert ? to : from, max: invert ? from : to }, invert },
          };
        },
      ),
      keyword('connbytes-mode', u8(16), { packets: 0, bytes: 1, avgpkt: 2 }),
      keyword('connbytes-dir', u8(17), { original: 0, reply: 1, both: 2 }),
    ],
  },
];

/** struct xt_connlimit_info, revision 1: flags 1 "up to", 2 "of the destination". */
export const CONNLIMIT: readonly XtLayout[] = [
  {
    revision: 1,
    size: 32,
    userSize: 24,
    fields: [
      custom(
        (options, info, { family }) => {
          const upto = given(options, 'connlimit-upto', 'integer');
          const limit = upto ?? given(options, 'connlimit-above', 'integer');
          if (limit === undefined) throw new LayoutError('there is no limit');
          write(info, u32(16), limit.value);
          if (upto !== undefined) set(info, bit(u32(20), 1));
          const bits = given(options, 'connlimit-mask', 'integer')?.value ?? BigInt(ADDRESS_BITS[family]);
          writeAddress(info, 0, family, prefixToMask(Number(bits), family));
          if (options['connlimit-daddr'] !== undefined) set(info, bit(u32(20), 2));
        },
        (info, { family }) => {
          const mask = readAddress(info, 0, family);
          const length = Array.from({ length: ADDRESS_BITS[family] + 1 }, (_, bits) => bits).find(
            (bits) => prefixToMask(bits, family) === mask,
          );
          if (length === undefined) throw new LayoutError('the mask is not a prefix');
          const upto = isSet(info, bit(u32(20), 1));
          return {
            [upto ? 'connlimit-upto' : 'connlimit-above']: integer(read(info, u32(16))),
            'connlimit-mask': integer(BigInt(length)),
            [isSet(info, bit(u32(20), 2)) ? 'connlimit-daddr' : 'connlimit-saddr']: {
              value: { kind: 'flag' },
              invert: false,
            },
          };
        },
        (info, { family }) => cleanAddress(info, 0, family),
      ),
    ],
  },
];

export const CLUSTER: readonly XtLayout[] = [
  {
    revision: 0,
    size: 16,
    fields: [
      number('cluster-total-nodes', u32(0)),
      number('cluster-local-nodemask', u32(4), { invert: bit(u32(12), 1) }),
      number('cluster-hash-seed', u32(8)),
    ],
  },
];
