/** From field values to the packet's surroundings: connection extras, IPsec, bridge ports, the clock. */

import {
  XFRM_DEPTH,
  XFRM_PROPERTIES,
  type XfrmDirection,
  type XfrmProperty,
} from '../../src/policy/environment-fields.ts';
import type { ConntrackExtrasView, EnvironmentView, XfrmStateView } from '../../src/policy/environment-view.ts';
import type { FieldName } from '../../src/policy/fields.ts';
import type { Assignment } from './assignment.ts';

type Get = (field: FieldName) => bigint | undefined;

/** 2026-11-23T12:00:00, a Monday. */
const NOON = 1_795_435_200n;
const DAY = 86_400n;

export function assembleEnvironment({ fields }: Assignment): EnvironmentView {
  const get: Get = (field) => fields.get(field);
  // Without a route there is nothing it could say or do.
  const routed = get('route.dstType') !== 0n;
  const realm = routed ? get('route.realm') : undefined;
  const seconds = assembleClock(get);
  const classid = get('socket.classid');
  const bridge = assembleBridge(get);
  const xfrmIn = assembleXfrm(get, 'in');
  const xfrmOut = routed ? assembleXfrm(get, 'out') : undefined;
  return {
    ...(realm === undefined ? {} : { realm: Number(realm) }),
    ...(seconds === undefined ? {} : { seconds }),
    ...(get('socket.full') === 1n || classid !== undefined ? { sender: { classid: Number(classid ?? 0n) } } : {}),
    ...(bridge === undefined ? {} : { bridge }),
    ...(xfrmIn === undefined ? {} : { xfrmIn }),
    ...(xfrmOut === undefined || xfrmOut.length === 0 ? {} : { xfrmOut }),
  };
}

/** One time that has the wanted parts, as far as they go together: days are looked for within two months. */
function assembleClock(get: Get): number | undefined {
  const parts = ['daytime', 'weekday', 'monthday', 'weekdayBefore', 'monthdayBefore'] as const;
  const seconds = get('clock.seconds');
  const daytime = get('clock.daytime');
  if (seconds === undefined && parts.every((part) => get(`clock.${part}`) === undefined)) return undefined;
  const base = seconds ?? NOON;
  const start = daytime === undefined ? base : base - (base % DAY) + (daytime % DAY);
  const shift = daysAhead(Number(start), get);
  return Number(BigInt.asUintN(32, start + BigInt(shift) * DAY));
}

function daysAhead(start: number, get: Get): number {
  const [weekday, monthday] = [get('clock.weekday'), get('clock.monthday')];
  for (let days = 0; days < 62; days++) {
    const date = new Date((start + days * Number(DAY)) * 1000);
    const fits =
      (weekday === undefined || BigInt(((date.getUTCDay() + 6) % 7) + 1) === weekday) &&
      (monthday === undefined || BigInt(date.getUTCDate()) === monthday);
    if (fits) return days;
  }
  return 0;
}

function assembleBridge(get: Get): EnvironmentView['bridge'] {
  if (get('bridge.present') !== 1n) return undefined;
  const name = (has: FieldName, field: FieldName): string | undefined => {
    const value = get(field);
    return get(has) === 0n || (get(has) === undefined && value === undefined) ? undefined : portName(value);
  };
  const [came, leaves] = [name('bridge.hasIn', 'bridge.inName'), name('bridge.hasOut', 'bridge.outName')];
  return { ...(came === undefined ? {} : { in: came }), ...(leaves === undefined ? {} : { out: leaves }) };
}

function portName(value: bigint | undefined): string {
  if (value === undefined) return 'port0';
  const codes = Array.from({ length: 15 }, (_, at) => Number((value >> BigInt(8 * (15 - at))) & 0xffn));
  const end = codes.indexOf(0);
  const text = codes.slice(0, end === -1 ? 15 : end).map((code) => (code > 0x20 && code < 0x7f ? code : 0x78));
  return text.length === 0 ? 'x' : String.fromCharCode(...text);
}

function assembleXfrm(get: Get, direction: XfrmDirection): readonly XfrmStateView[] | undefined {
  const wanted = Number(get(`xfrm.${direction}.depth`) ?? 0n);
  if (direction === 'in' && get('xfrm.in.present') !== 1n && wanted === 0) return undefined;
  return Array.from({ length: Math.min(wanted, XFRM_DEPTH) }, (_, depth) => {
    const of = (property: XfrmProperty): bigint => get(`xfrm.${direction}.${depth}.${property}` as FieldName) ?? 0n;
    const entries = Object.entries(XFRM_PROPERTIES).map(([name, { bits }]) => {
      const value = of(name as XfrmProperty);
      return [name, bits === 128 ? value : Number(value)];
    });
    return Object.fromEntries(entries) as unknown as XfrmStateView;
  });
}

/** Counts of both directions that make a sum or an average what it should be. */
export function assembleConntrackExtras({ fields }: Assignment): ConntrackExtrasView {
  const get: Get = (field) => fields.get(field);
  const low = get('ct.labels.low');
  const high = get('ct.labels.high');
  const helper = get('ct.helper');
  const helped = get('ct.helped') === 1n || (helper !== undefined && get('ct.helped') !== 0n);
  const counted = get('ct.accounted') === 1n;
  return {
    ...(counted ? { counts: { original: count(get, 'original'), reply: count(get, 'reply') } } : {}),
    ...(low === undefined && high === undefined ? {} : { labels: ((high ?? 0n) << 64n) | (low ?? 0n) }),
    ...(helped ? { helper: helper === undefined ? 'ftp' : portName(helper) } : {}),
  };
}

function count(get: Get, direction: 'original' | 'reply'): { packets: bigint; bytes: bigint } {
  const both = (what: 'packets' | 'bytes' | 'average'): bigint | undefined =>
    direction === 'original' ? get(`ct.${what}.both`) : undefined;
  const average = get(`ct.average.${direction}`) ?? both('average');
  if (average !== undefined)
    return { packets: average > 1n << 60n ? 1n : 3n, bytes: average > 1n << 60n ? average : average * 3n + 2n };
  return {
    packets: get(`ct.packets.${direction}`) ?? both('packets') ?? 0n,
    bytes: get(`ct.bytes.${direction}`) ?? both('bytes') ?? 0n,
  };
}
