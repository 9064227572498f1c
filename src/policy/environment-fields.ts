/** Fields of what surrounds a packet: the machine, its clock, the connection's extras, IPsec, bridges. Part of FIELDS. */

import type { FieldSpec } from './fields.ts';

/** XFRM_MAX_DEPTH: transformations of one packet. */
export const XFRM_DEPTH = 6;
const DEPTHS = [0, 1, 2, 3, 4, 5] as const;
export const XFRM_DIRECTIONS = ['in', 'out'] as const;
export type XfrmDirection = (typeof XFRM_DIRECTIONS)[number];
export const XFRM_PROPERTIES = {
  saddr: { bits: 128, doc: 'props.saddr; an IPv4 address lies in the low 32 bits' },
  daddr: { bits: 128, doc: 'id.daddr, as saddr' },
  proto: { bits: 8, doc: 'id.proto' },
  mode: { bits: 8, doc: 'props.mode' },
  spi: { bits: 32, doc: 'id.spi' },
  reqid: { bits: 32, doc: 'props.reqid' },
} as const;
export type XfrmProperty = keyof typeof XFRM_PROPERTIES;
export type XfrmField = `xfrm.${XfrmDirection}.${(typeof DEPTHS)[number]}.${XfrmProperty}`;

/** Every property of every transformation a packet can have: `in` counts from the last one (the outermost policy element). */
const XFRM_STATE_FIELDS = Object.fromEntries(
  XFRM_DIRECTIONS.flatMap((direction) =>
    DEPTHS.flatMap((depth) =>
      Object.entries(XFRM_PROPERTIES).map(([name, { bits, doc }]) => [
        `xfrm.${direction}.${depth}.${name}`,
        { bits, needs: 'route', doc: `${doc} of transformation ${depth}; 0 where there is none` } satisfies FieldSpec,
      ]),
    ),
  ),
) as unknown as Record<XfrmField, FieldSpec>;

const CALENDAR = {
  daytime: { bits: 32, needs: 'nothing', doc: 'seconds since midnight, UTC' },
  weekday: { bits: 8, needs: 'nothing', doc: '1 Monday ... 7 Sunday, UTC' },
  monthday: { bits: 8, needs: 'nothing', doc: '1...31, UTC' },
  weekdayBefore: { bits: 8, needs: 'nothing', doc: 'clock.weekday a day earlier' },
  monthdayBefore: { bits: 8, needs: 'nothing', doc: 'clock.monthday a day earlier' },
} as const satisfies Record<string, FieldSpec>;

export const ENVIRONMENT_FIELDS = {
  'meta.cpu': { bits: 32, needs: 'nothing', doc: 'smp_processor_id()' },
  'meta.iifgroup': { bits: 32, needs: 'device', doc: 'group of the input device, 0 without one' },
  'meta.oifgroup': { bits: 32, needs: 'device', doc: 'group of the output device, 0 without one' },
  'route.realm': { bits: 32, needs: 'route', doc: 'dst->tclassid, 0 without a route' },
  'clock.seconds': {
    bits: 32,
    needs: 'nothing',
    doc: 'seconds since 1970, read once for each packet and hook: the low 32 bits',
  },
  'clock.daytime': CALENDAR.daytime,
  'clock.weekday': CALENDAR.weekday,
  'clock.monthday': CALENDAR.monthday,
  'clock.weekdayBefore': CALENDAR.weekdayBefore,
  'clock.monthdayBefore': CALENDAR.monthdayBefore,
  'ct.accounted': { bits: 1, needs: 'conntrack', doc: '1 if the entry counts packets and bytes (nf_conntrack_acct)' },
  'ct.packets.original': { bits: 64, needs: 'conntrack', doc: 'packets so far; 0 where they are not counted' },
  'ct.packets.reply': { bits: 64, needs: 'conntrack', doc: 'as ct.packets.original' },
  'ct.packets.both': { bits: 64, needs: 'conntrack', doc: 'their sum' },
  'ct.bytes.original': { bits: 64, needs: 'conntrack', doc: 'bytes so far, as ct.packets.original' },
  'ct.bytes.reply': { bits: 64, needs: 'conntrack', doc: 'as ct.bytes.original' },
  'ct.bytes.both': { bits: 64, needs: 'conntrack', doc: 'their sum' },
  'ct.average.original': { bits: 64, needs: 'conntrack', doc: 'bytes / packets, 0 without packets' },
  'ct.average.reply': { bits: 64, needs: 'conntrack', doc: 'as ct.average.original' },
  'ct.average.both': { bits: 64, needs: 'conntrack', doc: 'all bytes / all packets' },
  'ct.labels.low': { bits: 64, needs: 'conntrack', doc: 'labels 0...63, label n in bit n; 0 without labels' },
  'ct.labels.high': { bits: 64, needs: 'conntrack', doc: 'labels 64...127, label 64 + n in bit n' },
  'ct.helped': { bits: 1, needs: 'conntrack', doc: '1 if the entry was expected by one that has a helper' },
  'ct.helper': {
    bits: 128,
    needs: 'conntrack',
    doc: "name of the master's helper, 16 bytes, first character in the top byte; all zero without one",
  },
  'socket.full': {
    bits: 1,
    needs: 'socket',
    doc: '1 if skb->sk is a full socket of this network namespace (xt_cgroup)',
  },
  'socket.classid': { bits: 32, needs: 'socket', doc: 'net_cls class of that socket, 0 without one' },
  'xfrm.in.present': { bits: 1, needs: 'route', doc: '1 if the packet has a security path' },
  'xfrm.in.depth': { bits: 8, needs: 'route', doc: 'transformations that it was decrypted by, 0...6' },
  'xfrm.out.depth': { bits: 8, needs: 'route', doc: 'transformations that its route will put on it, 0...6' },
  ...XFRM_STATE_FIELDS,
  'bridge.present': {
    bits: 1,
    needs: 'device',
    doc: '1 if the packet crosses a bridge (skb extension nf_bridge_info)',
  },
  'bridge.hasIn': { bits: 1, needs: 'device', doc: '1 if the port it came by still exists' },
  'bridge.hasOut': { bits: 1, needs: 'device', doc: '1 if the port it leaves by is known' },
  'bridge.inName': { bits: 128, needs: 'device', doc: 'name of the port it came by, as meta.iifname' },
  'bridge.outName': { bits: 128, needs: 'device', doc: 'name of the port it leaves by, as meta.iifname' },
} as const satisfies Record<string, FieldSpec>;

export type EnvironmentField = keyof typeof ENVIRONMENT_FIELDS;
