/** Structures of the matches on addresses, the network header and where a packet comes from. */

import { ADDRESS_TYPES } from '../matches/address-types.ts';
import { given } from '../options.ts';
import {
  address,
  addressRange,
  bytes,
  constant,
  custom,
  flag,
  keyword,
  masked,
  network,
  number,
  oneOf,
  range,
  text,
  wordBits,
} from './fields.ts';
import {
  type Bit,
  be16,
  bit,
  cleanText,
  isSet,
  LayoutError,
  read,
  readText,
  set,
  u8,
  u16,
  u32,
  write,
  writeText,
  type XtField,
  type XtLayout,
} from './layout.ts';

/** RTN_* */
const ADDRESS_BITS = Object.fromEntries(ADDRESS_TYPES.map((word, at) => [word, 1 << at]));

/** struct xt_addrtype_info_v1; no bits for a side are an absent option. */
export const ADDRTYPE: readonly XtLayout[] = [
  {
    revision: 1,
    size: 8,
    fields: [
      wordBits('src-type', u16(0), ADDRESS_BITS, { invert: bit(u32(4), 1) }),
      wordBits('dst-type', u16(2), ADDRESS_BITS, { invert: bit(u32(4), 2) }),
      flag('limit-iface-in', bit(u32(4), 4)),
      flag('limit-iface-out', bit(u32(4), 8)),
    ],
  },
];

export const IPRANGE: readonly XtLayout[] = [
  {
    revision: 1,
    size: 72,
    fields: [
      addressRange('src-range', 0, 16, { present: bit(u8(64), 1), invert: bit(u8(64), 0x10) }),
      addressRange('dst-range', 32, 48, { present: bit(u8(64), 2), invert: bit(u8(64), 0x20) }),
    ],
  },
];

export const MAC: readonly XtLayout[] = [
  { revision: 0, size: 16, fields: [bytes('mac-source', 0, 6, { invert: bit(u32(8), 1) })] },
];

export const PKTTYPE: readonly XtLayout[] = [
  { revision: 0, size: 8, fields: [number('pkt-type', u32(0), { invert: bit(u32(4), 1) })] },
];

export const DSCP: readonly XtLayout[] = [
  { revision: 0, size: 8, fields: [number('dscp', u8(0), { invert: bit(u8(1), 1) })] },
];

export const TOS: readonly XtLayout[] = [
  { revision: 1, size: 8, fields: [masked('tos', [u8(1), u8(0)], { invert: bit(u8(2), 1) })] },
];

/** IPT_TTL_* and IP6T_HL_*: the same numbers. */
export function hops(prefix: 'ttl' | 'hl'): readonly XtLayout[] {
  const modes = [
    { option: `${prefix}-eq`, code: 0 },
    { option: `${prefix}-eq`, code: 1, inverted: true },
    { option: `${prefix}-lt`, code: 2 },
    { option: `${prefix}-gt`, code: 3 },
  ] as const;
  return [{ revision: 0, size: 8, fields: [oneOf(u8(0), modes, u8(1))] }];
}

/** A device name whose mask says how much of it counts: up to and with the NUL, or up to where the `+` stands. */
function device(option: string, at: number, maskAt: number, present: Bit, invert: Bit): XtField {
  return custom(
    (options, info) => {
      const use = given(options, option, 'text');
      if (use === undefined) return;
      const wild = use.text.endsWith('+');
      writeText(info, at, 16, use.text);
      const counted = wild ? use.text.length - 1 : use.text === '' ? 0 : use.text.length + 1;
      new Uint8Array(info.buffer, info.byteOffset + maskAt, counted).fill(0xff);
      set(info, present);
      if (use.invert) set(info, invert);
    },
    (info) => {
      if (!isSet(info, present)) return {};
      return { [option]: { value: { kind: 'text', text: readText(info, at, 16) }, invert: isSet(info, invert) } };
    },
    (info) => cleanText(info, at, 16),
  );
}

/** struct xt_physdev_info */
export const PHYSDEV: readonly XtLayout[] = [
  {
    revision: 0,
    size: 72,
    fields: [
      device('physdev-in', 0, 16, bit(u8(65), 1), bit(u8(64), 1)),
      device('physdev-out', 32, 48, bit(u8(65), 2), bit(u8(64), 2)),
      flag('physdev-is-bridged', bit(u8(65), 4), bit(u8(64), 4)),
      flag('physdev-is-in', bit(u8(65), 8), bit(u8(64), 8)),
      flag('physdev-is-out', bit(u8(65), 16), bit(u8(64), 16)),
    ],
  },
];

export const DEVGROUP: readonly XtLayout[] = [
  {
    revision: 0,
    size: 24,
    fields: [
      masked('src-group', [u32(4), u32(8)], { present: bit(u32(0), 1), invert: bit(u32(0), 2) }),
      masked('dst-group', [u32(12), u32(16)], { present: bit(u32(0), 4), invert: bit(u32(0), 8) }),
    ],
  },
];

export const MARK: readonly XtLayout[] = [
  { revision: 1, size: 16, fields: [masked('mark', [u32(0), u32(4)], { invert: bit(u8(8), 1) })] },
];

export const REALM: readonly XtLayout[] = [
  { revision: 0, size: 16, fields: [masked('realm', [u32(0), u32(4)], { invert: bit(u8(8), 1) })] },
];

export const CPU: readonly XtLayout[] = [
  { revision: 0, size: 8, fields: [number('cpu', u32(0), { invert: bit(u32(4), 1) })] },
];

export const COMMENT: readonly XtLayout[] = [{ revision: 0, size: 256, fields: [text('comment', 0, 256)] }];

/** XT_OWNER_* */
export const OWNER: readonly XtLayout[] = [
  {
    revision: 1,
    size: 24,
    fields: [
      range('uid-owner', [u32(0), u32(4)], { present: bit(u8(16), 1), invert: bit(u8(17), 1) }),
      range('gid-owner', [u32(8), u32(12)], { present: bit(u8(16), 2), invert: bit(u8(17), 2) }),
      flag('socket-exists', bit(u8(16), 4), bit(u8(17), 4)),
      flag('suppl-groups', bit(u8(16), 8)),
    ],
  },
];

/** struct xt_socket_mtinfo3; revisions 1 and 2 know fewer flags. */
export const SOCKET: readonly XtLayout[] = [3, 2, 1].map((revision) => ({
  revision,
  size: 8,
  fields: [
    flag('transparent', bit(u8(0), 1)),
    flag('nowildcard', bit(u8(0), 2)),
    flag('restore-skmark', bit(u8(0), 4)),
  ],
}));

export const RPFILTER: readonly XtLayout[] = [
  {
    revision: 0,
    size: 8,
    fields: ['loose', 'validmark', 'accept-local', 'invert'].map((name, at) => flag(name, bit(u8(0), 1 << at))),
  },
];

/** struct xt_cgroup_info_v2; a path and a class share their bytes. */
export const CGROUP: readonly XtLayout[] = [
  {
    revision: 2,
    size: 528,
    userSize: 516,
    fields: [
      text('path', 4, 512, { present: bit(u8(0), 1), invert: bit(u8(2), 1) }),
      number('cgroup', u32(4), { present: bit(u8(1), 1), invert: bit(u8(3), 1) }),
    ],
  },
];

/** struct nf_osf_info */
export const OSF: readonly XtLayout[] = [
  {
    revision: 0,
    size: 48,
    fields: [
      custom(
        (options, info) => {
          const genre = given(options, 'genre', 'text');
          if (genre === undefined) throw new LayoutError('there is no genre');
          writeText(info, 0, 32, genre.text);
          write(info, u32(32), BigInt(new TextEncoder().encode(genre.text).length));
          if (genre.invert) set(info, bit(u32(36), 8));
        },
        (info) => ({
          genre: { value: { kind: 'text', text: readText(info, 0, 32) }, invert: isSet(info, bit(u32(36), 8)) },
        }),
        (info) => cleanText(info, 0, 32),
      ),
      number('ttl', u32(44), { present: bit(u32(36), 2) }),
      number('log', u32(40), { present: bit(u32(36), 4) }),
    ],
  },
];

const METHODS = { GATE: 3, IPIP: 2, MASQ: 0 } as const;

/** struct xt_ipvs_mtinfo */
export const IPVS: readonly XtLayout[] = [
  {
    revision: 0,
    size: 40,
    fields: [
      custom(
        (options, info) => {
          set(info, bit(u8(39), 1));
          if (options['ipvs']?.invert === true) set(info, bit(u8(38), 1));
        },
        (info): ReturnType<XtField['get']> => {
          const others = (read(info, u8(39)) & ~1n) !== 0n;
          return others ? {} : { ipvs: { value: { kind: 'flag' }, invert: isSet(info, bit(u8(38), 1)) } };
        },
      ),
      number('vproto', u8(34), { present: bit(u8(39), 2), invert: bit(u8(38), 2) }),
      network('vaddr', 0, 16, { present: bit(u8(39), 4), invert: bit(u8(38), 4) }),
      number('vport', be16(32), { present: bit(u8(39), 8), invert: bit(u8(38), 8) }),
      custom(
        (options, info) => {
          const use = given(options, 'vdir', 'text');
          if (use === undefined) return;
          set(info, bit(u8(39), 0x10));
          if (use.text === 'REPLY') set(info, bit(u8(38), 0x10));
        },
        (info): ReturnType<XtField['get']> => {
          if (!isSet(info, bit(u8(39), 0x10))) return {};
          const word = isSet(info, bit(u8(38), 0x10)) ? 'REPLY' : 'ORIGINAL';
          return { vdir: { value: { kind: 'text', text: word }, invert: false } };
        },
      ),
      keyword('vmethod', u8(35), METHODS, { present: bit(u8(39), 0x20), invert: bit(u8(38), 0x20) }),
      number('vportctl', be16(36), { present: bit(u8(39), 0x40), invert: bit(u8(38), 0x40) }),
    ],
  },
];

export const NFACCT: readonly XtLayout[] = [
  { revision: 0, size: 40, userSize: 32, fields: [text('nfacct-name', 0, 32)] },
];

/** struct ip6t_eui64 does not exist: the kernel wants one int. */
export const EUI64: readonly XtLayout[] = [{ revision: 0, size: 8, fields: [constant(u32(0), 0n)] }];

/** The address that TEE sends to, and the device. */
export const TEE: readonly XtLayout[] = [
  { revision: 1, size: 40, userSize: 32, fields: [address('gateway', 0), text('oif', 16, 16, { optional: true })] },
];
