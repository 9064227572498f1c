/**
 * A packet as a netfilter hook sees it, as plain data, and the fields of `fields.ts` read from it.
 *
 * This is the slow and obvious reading: every field is computed from the bytes each time, with the kernel's own rules.
 * Bytes that the packet does not have read as zero; the length tests of a policy stand before every such read.
 */

import { deviceNameValue } from '../packet/device.ts';
import type { Family } from '../packet/netfilter.ts';
import { type ConntrackExtrasView, ENVIRONMENT_READERS, type EnvironmentView } from './environment-view.ts';
import type { FieldName } from './fields.ts';
import { walkIpv6 } from './ipv6-walk.ts';

export interface PacketView extends EnvironmentView {
  readonly family: Family;
  /** The packet from the network header on; these are the bytes that can be read. */
  readonly bytes: Uint8Array;
  /** Lengths of the pieces in which the kernel holds the bytes, the linear part first, together all; absent: it is all linear. */
  readonly pieces?: readonly number[];
  /** skb->len: what byte counters add. It equals `bytes.length` for every packet that is not a lie of a test. */
  readonly skbLength: number;
  readonly mark: number;
  /** PACKET_*: 0 host, 1 broadcast, 2 multicast, 3 other host, 5 loopback. */
  readonly pkttype: number;
  /** A GSO packet of TCP: an IPv4 total length of 0 then means skb->len (iph_totlen). */
  readonly gsoTcp: boolean;
  /** Absent on OUTPUT and POSTROUTING. */
  readonly in?: DeviceView;
  /** Absent on PREROUTING and INPUT. */
  readonly out?: DeviceView;
  /** The 14 bytes before the network header: destination, source, type. Absent where xt_mac would see no Ethernet header. */
  readonly mac?: Uint8Array;
  /** skb->dev is an Ethernet, though there is no `mac`. */
  readonly ethernet?: true;
  /** enum ip_conntrack_info, the low bits of skb->_nfct; 7 is untracked (then without `ct`). 0 when conntrack is off. */
  readonly ctInfo: number;
  readonly ct?: ConntrackView;
  /** skb_to_full_sk(skb) of this network namespace with an inode; absent: none. */
  readonly socket?: SocketView;
  /** skb->sk is a socket of this network namespace, of whatever kind; absent: as `socket` says. */
  readonly ownSocket?: boolean;
  /** RTN_* of the destination; 0 without a route. */
  readonly routeDstType: number;
  /** The kernel's answers to the table's questions (question.ts), answer n in bit n. Absent: all no. */
  readonly answers?: bigint;
  /** Its answers to the questions that are asked where rules get to them (staged.ts), answer n in bit n. Absent: all no. */
  readonly staged?: bigint;
  /** Kernel time in jiffies. */
  readonly now: bigint;
  /** The next random number, an unsigned 32-bit integer (get_random_u32). */
  readonly random: () => number;
}

export interface DeviceView {
  readonly name: string;
  readonly ifindex: number;
  /** Absent: 0. */
  readonly group?: number;
}

export interface ConntrackView extends ConntrackExtrasView {
  /** IPS_* bits. */
  readonly status: number;
  readonly mark: number;
  /** Whole seconds until it times out. */
  readonly expires: number;
  readonly protonum: number;
  readonly original: TupleView;
  readonly reply: TupleView;
}

/** Addresses in host order (IPv4 in the low 32 bits), ports in host order. */
export interface TupleView {
  readonly saddr: bigint;
  readonly daddr: bigint;
  readonly sport: number;
  readonly dport: number;
}

export interface SocketView {
  /** fsuid and fsgid of the file's credentials; absent for a socket without a file. */
  readonly file?: { readonly uid: number; readonly gid: number };
}

const zero = (): number => 0;

/** A packet view with the given members and quiet values for all others. */
export function packetView(
  packet: Pick<PacketView, 'family' | 'bytes'> & Partial<Omit<PacketView, 'family' | 'bytes'>>,
): PacketView {
  return {
    skbLength: packet.bytes.length,
    mark: 0,
    pkttype: 0,
    gsoTcp: false,
    ctInfo: 0,
    routeDstType: 0,
    now: 0n,
    random: zero,
    ...packet,
  };
}

/** Where the transport header begins and how the way there went. */
export interface TransportPlace {
  readonly offset: number;
  readonly protocol: number;
  /** Fragment offset: IPv4 in units of 8 bytes, IPv6 in bytes; 0 for a first fragment and for whole packets. */
  readonly fragOffset: number;
  /** IPv6 only: ipv6_find_hdr failed. */
  readonly broken: boolean;
}

/** `ip_hdrlen` and the protocol of the IPv4 header, or the result of walking the IPv6 header chain. */
export function transportOf(view: PacketView): TransportPlace {
  if (view.family === 'ipv6') return walkIpv6(view.bytes);
  return {
    offset: (byte(view, 0) & 0x0f) * 4,
    protocol: byte(view, 9),
    fragOffset: be16(view, 6) & 0x1fff,
    broken: false,
  };
}

/** The value of a field, as an unsigned integer in host order (see `FIELDS` for the meaning of each). */
export function readField(view: PacketView, field: FieldName): bigint {
  return BigInt(readers[field](view));
}

const readers: Record<FieldName, (view: PacketView) => number | bigint> = {
  ...ENVIRONMENT_READERS,
  'meta.length': (v) => v.skbLength,
  'meta.mark': (v) => v.mark >>> 0,
  'meta.pkttype': (v) => v.pkttype,
  'meta.iifname': (v) => deviceNameValue(v.in?.name ?? ''),
  'meta.oifname': (v) => deviceNameValue(v.out?.name ?? ''),
  'ip.saddr': (v) => big(v, 12, 4),
  'ip.daddr': (v) => big(v, 16, 4),
  'ip.protocol': (v) => byte(v, 9),
  'ip.fragOffset': (v) => be16(v, 6) & 0x1fff,
  'ip.ttl': (v) => byte(v, 8),
  'ip.tos': (v) => byte(v, 1),
  'ip.totalLength': (v) => (be16(v, 2) === 0 && v.gsoTcp ? v.skbLength : be16(v, 2)),
  'ip6.saddr': (v) => big(v, 8, 16),
  'ip6.daddr': (v) => big(v, 24, 16),
  'ip6.hopLimit': (v) => byte(v, 7),
  'ip6.chain': (v) => (transportOf(v).broken ? 1 : 0),
  'ip6.protocol': (v) => transportOf(v).protocol,
  'ip6.fragOffset': (v) => transportOf(v).fragOffset,
  'transport.length': (v) => Math.max(0, v.skbLength - transportOf(v).offset),
  'transport.sport': (v) => be16(v, transportOf(v).offset),
  'transport.dport': (v) => be16(v, transportOf(v).offset + 2),
  'tcp.flags': (v) => byte(v, transportOf(v).offset + 13),
  'tcp.headerLength': (v) => (byte(v, transportOf(v).offset + 12) >> 4) * 4,
  'icmp.type': (v) => byte(v, transportOf(v).offset),
  'icmp.code': (v) => byte(v, transportOf(v).offset + 1),
  'mac.present': (v) => (v.mac === undefined ? 0 : 1),
  'mac.saddr': (v) => (v.mac === undefined ? 0 : bigFrom(v.mac, 6, 6)),
  'mac.eui64': (v) => (v.mac === undefined ? (v.ethernet === true ? 2 : 0) : madeOfMac(v, v.mac) ? 1 : 0),
  'ct.present': (v) => (v.ct === undefined ? 0 : 1),
  'ct.info': (v) => v.ctInfo,
  'ct.status': (v) => (v.ct?.status ?? 0) >>> 0,
  'ct.mark': (v) => (v.ct?.mark ?? 0) >>> 0,
  'ct.expires': (v) => v.ct?.expires ?? 0,
  'ct.protonum': (v) => v.ct?.protonum ?? 0,
  'ct.orig.saddr': (v) => v.ct?.original.saddr ?? 0,
  'ct.orig.daddr': (v) => v.ct?.original.daddr ?? 0,
  'ct.repl.saddr': (v) => v.ct?.reply.saddr ?? 0,
  'ct.repl.daddr': (v) => v.ct?.reply.daddr ?? 0,
  'ct.orig.sport': (v) => v.ct?.original.sport ?? 0,
  'ct.orig.dport': (v) => v.ct?.original.dport ?? 0,
  'ct.repl.sport': (v) => v.ct?.reply.sport ?? 0,
  'ct.repl.dport': (v) => v.ct?.reply.dport ?? 0,
  'socket.own': (v) => ((v.ownSocket ?? v.socket !== undefined) ? 1 : 0),
  'socket.state': (v) => (v.socket === undefined ? 0 : v.socket.file === undefined ? 1 : 2),
  'socket.uid': (v) => v.socket?.file?.uid ?? 0,
  'socket.gid': (v) => v.socket?.file?.gid ?? 0,
  'asked.0': (v) => answerWord(v, 0),
  'asked.1': (v) => answerWord(v, 1),
  'asked.2': (v) => answerWord(v, 2),
  'asked.3': (v) => answerWord(v, 3),
  'route.dstType': (v) => v.routeDstType,
};

/** The universal bit is turned over; a frame of another protocol or version says nothing. */
function madeOfMac(view: PacketView, mac: Uint8Array): boolean {
  const made = [mac[6]! ^ 2, mac[7], mac[8], 0xff, 0xfe, mac[9], mac[10], mac[11]];
  return (
    mac[12] === 0x86 && mac[13] === 0xdd && byte(view, 0) >> 4 === 6 && made.every((b, i) => b === byte(view, 16 + i))
  );
}

function answerWord(view: PacketView, word: number): bigint {
  return BigInt.asUintN(64, (view.answers ?? 0n) >> BigInt(word * 64));
}

function byte(view: PacketView, at: number): number {
  return view.bytes[at] ?? 0;
}

function be16(view: PacketView, at: number): number {
  return (byte(view, at) << 8) | byte(view, at + 1);
}

function big(view: PacketView, at: number, length: number): bigint {
  return bigFrom(view.bytes, at, length);
}

function bigFrom(bytes: Uint8Array, at: number, length: number): bigint {
  let value = 0n;
  for (let i = at; i < at + length; i++) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  return value;
}
