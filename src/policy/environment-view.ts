/** What surrounds a packet, as plain data, and the readers of ENVIRONMENT_FIELDS. */

import { deviceNameValue } from '../packet/device.ts';
import {
  type EnvironmentField,
  XFRM_DEPTH,
  XFRM_DIRECTIONS,
  XFRM_PROPERTIES,
  type XfrmProperty,
} from './environment-fields.ts';
import type { PacketView } from './packet-view.ts';

export interface EnvironmentView {
  /** The processor that runs the rules. Absent: 0. */
  readonly cpu?: number;
  /** Seconds since 1970, UTC. Absent: 0. */
  readonly seconds?: number;
  /** dst->tclassid. Absent: 0. */
  readonly realm?: number;
  /** skb->sk, if it is a full socket of this namespace and not a request of one. */
  readonly sender?: { readonly classid: number };
  /** The security path, its last transformation first; absent: there is none. */
  readonly xfrmIn?: readonly XfrmStateView[];
  /** What the route will do, outermost first. Absent: nothing. */
  readonly xfrmOut?: readonly XfrmStateView[];
  /** Absent: the packet crosses no bridge. */
  readonly bridge?: { readonly in?: string; readonly out?: string };
}

/** One transformation: numbers in host order, IPv4 addresses in the low 32 bits. */
export type XfrmStateView = {
  readonly [P in XfrmProperty]: (typeof XFRM_PROPERTIES)[P]['bits'] extends 128 ? bigint : number;
};

/** What a conntrack entry may have beside its core. */
export interface ConntrackExtrasView {
  /** Packets and bytes so far; absent: not counted. */
  readonly counts?: { readonly original: CountView; readonly reply: CountView };
  /** Label n in bit n; absent: no labels. */
  readonly labels?: bigint;
  /** Name of the helper of the entry that expected this one. */
  readonly helper?: string;
}

export interface CountView {
  readonly packets: bigint;
  readonly bytes: bigint;
}

const NO_COUNT: CountView = { packets: 0n, bytes: 0n };
const SECONDS_PER_DAY = 86_400;
const LOW_LABELS = (1n << 64n) - 1n;

/** Seconds since 1970 in another shape: UTC, Monday is 1. */
export function calendar(seconds: number): {
  readonly daytime: number;
  readonly weekday: number;
  readonly monthday: number;
} {
  const date = new Date(seconds * 1000);
  return {
    daytime: seconds % SECONDS_PER_DAY,
    weekday: ((date.getUTCDay() + 6) % 7) + 1,
    monthday: date.getUTCDate(),
  };
}

function counts(view: PacketView, which: 'original' | 'reply' | 'both'): CountView {
  const known = view.ct?.counts;
  if (known === undefined) return NO_COUNT;
  if (which !== 'both') return known[which];
  return {
    packets: BigInt.asUintN(64, known.original.packets + known.reply.packets),
    bytes: BigInt.asUintN(64, known.original.bytes + known.reply.bytes),
  };
}

function average(count: CountView): bigint {
  return count.packets === 0n ? 0n : count.bytes / count.packets;
}

/** A name in 16 bytes, zeros behind it: as a device's. */
function nameValue(name: string | undefined): bigint {
  return deviceNameValue(name ?? '');
}

type Reader = (view: PacketView) => number | bigint;

function xfrmReaders(): Record<string, Reader> {
  const readers: Record<string, Reader> = {};
  for (const direction of XFRM_DIRECTIONS) {
    for (let depth = 0; depth < XFRM_DEPTH; depth++) {
      for (const property of Object.keys(XFRM_PROPERTIES) as XfrmProperty[]) {
        const states = (view: PacketView) => (direction === 'in' ? view.xfrmIn : view.xfrmOut);
        readers[`xfrm.${direction}.${depth}.${property}`] = (view) => states(view)?.[depth]?.[property] ?? 0;
      }
    }
  }
  return readers;
}

export const ENVIRONMENT_READERS = {
  ...xfrmReaders(),
  'meta.cpu': (v) => v.cpu ?? 0,
  'meta.iifgroup': (v) => v.in?.group ?? 0,
  'meta.oifgroup': (v) => v.out?.group ?? 0,
  'route.realm': (v) => v.realm ?? 0,
  'clock.seconds': (v) => v.seconds ?? 0,
  'clock.daytime': (v) => calendar(v.seconds ?? 0).daytime,
  'clock.weekday': (v) => calendar(v.seconds ?? 0).weekday,
  'clock.monthday': (v) => calendar(v.seconds ?? 0).monthday,
  'clock.weekdayBefore': (v) => calendar(dayBefore(v)).weekday,
  'clock.monthdayBefore': (v) => calendar(dayBefore(v)).monthday,
  'ct.accounted': (v) => (v.ct?.counts === undefined ? 0 : 1),
  'ct.packets.original': (v) => counts(v, 'original').packets,
  'ct.packets.reply': (v) => counts(v, 'reply').packets,
  'ct.packets.both': (v) => counts(v, 'both').packets,
  'ct.bytes.original': (v) => counts(v, 'original').bytes,
  'ct.bytes.reply': (v) => counts(v, 'reply').bytes,
  'ct.bytes.both': (v) => counts(v, 'both').bytes,
  'ct.average.original': (v) => average(counts(v, 'original')),
  'ct.average.reply': (v) => average(counts(v, 'reply')),
  'ct.average.both': (v) => average(counts(v, 'both')),
  'ct.labels.low': (v) => (v.ct?.labels ?? 0n) & LOW_LABELS,
  'ct.labels.high': (v) => (v.ct?.labels ?? 0n) >> 64n,
  'ct.helped': (v) => (v.ct?.helper === undefined ? 0 : 1),
  'ct.helper': (v) => nameValue(v.ct?.helper),
  'socket.full': (v) => (v.sender === undefined ? 0 : 1),
  'socket.classid': (v) => v.sender?.classid ?? 0,
  'xfrm.in.present': (v) => (v.xfrmIn === undefined ? 0 : 1),
  'xfrm.in.depth': (v) => v.xfrmIn?.length ?? 0,
  'xfrm.out.depth': (v) => v.xfrmOut?.length ?? 0,
  'bridge.present': (v) => (v.bridge === undefined ? 0 : 1),
  'bridge.hasIn': (v) => (v.bridge?.in === undefined ? 0 : 1),
  'bridge.hasOut': (v) => (v.bridge?.out === undefined ? 0 : 1),
  'bridge.inName': (v) => nameValue(v.bridge?.in),
  'bridge.outName': (v) => nameValue(v.bridge?.out),
} as Record<EnvironmentField, Reader>;

function dayBefore(view: PacketView): number {
  return ((view.seconds ?? 0) - SECONDS_PER_DAY) >>> 0;
}
