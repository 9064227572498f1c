/** Structures of the targets that log, reject, mark, queue and track. */

import type { OptionMap } from '../contract.ts';
import { given } from '../options.ts';
import { constant, custom, flag, integer, keyword, masked, number, plain, text, wordBits } from './fields.ts';
import {
  bit,
  isSet,
  LayoutError,
  type Place,
  read,
  set,
  u8,
  u16,
  u32,
  write,
  type XtField,
  type XtLayout,
} from './layout.ts';

const U32_MAX = 0xffff_ffffn;

export const LOG: readonly XtLayout[] = [
  {
    revision: 0,
    size: 32,
    fields: [
      number('log-level', u8(0)),
      flag('log-tcp-sequence', bit(u8(1), 0x01)),
      flag('log-tcp-options', bit(u8(1), 0x02)),
      flag('log-ip-options', bit(u8(1), 0x04)),
      flag('log-uid', bit(u8(1), 0x08)),
      flag('log-macdecode', bit(u8(1), 0x20)),
      text('log-prefix', 2, 30, { optional: true }),
    ],
  },
];

/** struct xt_nflog_info: the length is the size if a flag says so, else the range. */
export const NFLOG: readonly XtLayout[] = [
  {
    revision: 0,
    size: 80,
    fields: [
      custom(
        (options, info) => {
          const size = given(options, 'nflog-size', 'integer');
          write(info, u32(0), size?.value ?? given(options, 'nflog-range', 'integer')?.value ?? 0n);
          if (size !== undefined) set(info, bit(u16(8), 1));
        },
        (info): OptionMap => {
          const length = read(info, u32(0));
          if (isSet(info, bit(u16(8), 1))) return { 'nflog-size': integer(length) };
          return length === 0n ? {} : { 'nflog-range': integer(length) };
        },
      ),
      number('nflog-group', u16(4), { idle: 0n }),
      number('nflog-threshold', u16(6), { idle: 0n }),
      text('nflog-prefix', 12, 64, { optional: true }),
    ],
  },
];

const REJECT_V4 = {
  'icmp-net-unreachable': 0,
  'icmp-host-unreachable': 1,
  'icmp-proto-unreachable': 2,
  'icmp-port-unreachable': 3,
  'icmp-net-prohibited': 5,
  'icmp-host-prohibited': 6,
  'tcp-reset': 7,
  'icmp-admin-prohibited': 8,
} as const;
const REJECT_V6 = {
  'icmp6-no-route': 0,
  'icmp6-adm-prohibited': 1,
  'icmp6-addr-unreachable': 3,
  'icmp6-port-unreachable': 4,
  'tcp-reset': 6,
  'icmp6-policy-fail': 7,
  'icmp6-reject-route': 8,
} as const;

export const REJECT: readonly XtLayout[] = [
  { revision: 0, size: 8, families: ['ipv4'], fields: [keyword('reject-with', u32(0), REJECT_V4)] },
  { revision: 0, size: 8, families: ['ipv6'], fields: [keyword('reject-with', u32(0), REJECT_V6)] },
];

export const MARK: readonly XtLayout[] = [{ revision: 2, size: 8, fields: [masked('set-xmark', [u32(0), u32(4)])] }];

const [SET_MARK, SAVE, RESTORE] = [0n, 1n, 2n];

/** The mode, and the two masks: a set keeps its own in that of the connection, the other is all ones. */
function connmarkMode(place: Place): XtField {
  return custom(
    (options, info) => {
      const xmark = given(options, 'set-xmark', 'masked');
      const mask = (name: string): bigint => given(options, name, 'integer')?.value ?? U32_MAX;
      write(info, u32(0), xmark?.value ?? 0n);
      write(info, u32(4), xmark?.mask ?? mask('ctmask'));
      write(info, u32(8), mask('nfmask'));
      write(info, place, xmark !== undefined ? SET_MARK : options['save-mark'] === undefined ? RESTORE : SAVE);
    },
    (info): OptionMap => {
      const mode = read(info, place);
      const [value, ctmask, nfmask] = [0, 4, 8].map((at) => read(info, u32(at)));
      if (mode === SET_MARK) return { 'set-xmark': plain({ kind: 'masked', value: value!, mask: ctmask! }) };
      if (mode > RESTORE) throw new LayoutError(`there is no option for mode ${mode}`);
      return {
        [mode === SAVE ? 'save-mark' : 'restore-mark']: plain({ kind: 'flag' }),
        nfmask: integer(nfmask!),
        ctmask: integer(ctmask!),
      };
    },
  );
}

/** struct xt_connmark_tginfo2, and 1, which has no shifts. */
export const CONNMARK: readonly XtLayout[] = [
  {
    revision: 2,
    size: 16,
    fields: [
      connmarkMode(u8(14)),
      custom(
        (options, info) => {
          const right = given(options, 'right-shift-mark', 'integer');
          write(info, u8(12), right === undefined ? 0n : 1n);
          write(info, u8(13), right?.value ?? given(options, 'left-shift-mark', 'integer')?.value ?? 0n);
        },
        (info): OptionMap => {
          const bits = read(info, u8(13));
          const name = read(info, u8(12)) === 0n ? 'left-shift-mark' : 'right-shift-mark';
          return bits === 0n ? {} : { [name]: integer(bits) };
        },
      ),
    ],
  },
  { revision: 1, size: 16, fields: [connmarkMode(u8(12))] },
];

/** IPCT_* */
const EVENTS = Object.fromEntries(
  ['new', 'related', 'destroy', 'reply', 'assured', 'protoinfo', 'helper', 'mark', 'natseqinfo', 'secmark'].map(
    (word, at) => [word, 1 << at],
  ),
);
/** XT_CT_* */
const CT_FLAG = { NOTRACK: 1, ALIAS: 2, ORIG: 4, REPL: 8, MARK: 16 } as const;
const ZONES = ['zone', 'zone-orig', 'zone-reply'] as const;

const zone: XtField = custom(
  (options, info) => {
    const name = ZONES.find((option) => options[option] !== undefined);
    const value = options[name ?? '']?.value;
    if (value === undefined) return;
    if (value.kind === 'integer') write(info, u16(2), value.value);
    else set(info, bit(u16(0), CT_FLAG.MARK));
    if (name === 'zone-orig') set(info, bit(u16(0), CT_FLAG.ORIG));
    if (name === 'zone-reply') set(info, bit(u16(0), CT_FLAG.REPL));
  },
  (info): OptionMap => {
    const orig = isSet(info, bit(u16(0), CT_FLAG.ORIG));
    const repl = isSet(info, bit(u16(0), CT_FLAG.REPL));
    const name = orig ? 'zone-orig' : repl ? 'zone-reply' : 'zone';
    if (isSet(info, bit(u16(0), CT_FLAG.MARK))) return { [name]: plain({ kind: 'text', text: 'mark' }) };
    const number = read(info, u16(2));
    return number === 0n && !orig && !repl ? {} : { [name]: integer(number) };
  },
);

const NOTRACK_BITS = CT_FLAG.NOTRACK | CT_FLAG.ALIAS;
const isAlias = (info: DataView): boolean => isSet(info, bit(u16(0), NOTRACK_BITS));

/** struct xt_ct_target_info_v1 */
export const CT: readonly XtLayout[] = [2, 1].map((revision) => ({
  revision,
  size: 72,
  userSize: 64,
  claims: (info: DataView) => !isAlias(info),
  fields: [
    flag('notrack', bit(u16(0), CT_FLAG.NOTRACK)),
    zone,
    wordBits('ctevents', u32(4), EVENTS),
    wordBits('expevents', u32(8), { new: 1 }),
    text('helper', 12, 16, { optional: true }),
    text('timeout', 28, 32, { optional: true }),
  ],
}));

/** `-j NOTRACK`, which iptables gives to the kernel as a CT target where it can. */
export const NOTRACK: readonly XtLayout[] = [
  ...[2, 1].map((revision) => ({
    kernelName: 'CT',
    revision,
    size: 72,
    userSize: 64,
    claims: isAlias,
    fields: [constant(u16(0), BigInt(NOTRACK_BITS))],
  })),
  { revision: 0, size: 0, fields: [] },
];

const CLAMP = 0xffffn;

export const TCPMSS: readonly XtLayout[] = [
  {
    revision: 0,
    size: 8,
    fields: [
      custom(
        (options, info) => write(info, u16(0), given(options, 'set-mss', 'integer')?.value ?? CLAMP),
        (info): OptionMap => {
          const mss = read(info, u16(0));
          return mss === CLAMP ? { 'clamp-mss-to-pmtu': plain({ kind: 'flag' }) } : { 'set-mss': integer(mss) };
        },
      ),
    ],
  },
];

/** struct xt_NFQ_info_v3, 2 and 1: the first queue, how many there are, flags. */
export const NFQUEUE: readonly XtLayout[] = [3, 2, 1].map((revision) => ({
  revision,
  size: 8,
  fields: [
    custom(
      (options, info) => {
        const range = given(options, 'queue-balance', 'range');
        write(info, u16(0), range?.min ?? given(options, 'queue-num', 'integer')?.value ?? 0n);
        write(info, u16(2), range === undefined ? 1n : range.max - range.min + 1n);
      },
      (info): OptionMap => {
        const [first, count] = [read(info, u16(0)), read(info, u16(2))];
        if (count < 2n) return { 'queue-num': integer(first) };
        return { 'queue-balance': plain({ kind: 'range', min: first, max: first + count - 1n }) };
      },
    ),
    flag('queue-bypass', bit(u16(4), 1)),
    flag('queue-cpu-fanout', bit(u16(4), 2)),
  ],
}));
