/**
 * The kernel's objects around one packet, laid out in the virtual machine's memory where `KernelFacts` says they lie:
 * context, hook state, sk_buff and its data, devices, conntrack entry, socket, route. Whatever no fact speaks of is filled
 * with a pattern, so that code which reads beside its field notices.
 */

import type { KernelFacts, MemberPlace } from '../../bpf/facts.ts';
import type { Machine, VmPacket } from '../../bpf/vm/machine.ts';
import { mapRegion, type Region, unmapRegion } from '../../bpf/vm/memory.ts';
import { DEVICE_NAME_MAX, IFNAMSIZ } from '../../packet/device.ts';
import { type Hook, NF_INET_HOOK } from '../../packet/netfilter.ts';
import type { ConntrackView, DeviceView, PacketView, TupleView } from '../../policy/packet-view.ts';
import { layOutConntrackExtras, layOutRouteExtras, layOutSkbExtensions, type Tools } from './simulate-environment.ts';

/** A packet and the ways in which the kernel may hold it; the ways must not change what a program answers. */
export interface SimulatedPacket {
  readonly view: PacketView;
  /** How many bytes from the network header on lie in the linear part (at least the network header). Default: all. */
  readonly linear?: number;
  /** How "no socket" looks. Default: no pointer. */
  readonly socketless?: 'null' | 'timeWait' | 'otherNamespace';
  /** Device names have remains of an older name behind their end, as after a rename. */
  readonly renamedDevices?: boolean;
  /** The route is held without a reference (SKB_DST_NOREF). */
  readonly routeNoref?: boolean;
}

export interface LaidOut {
  /** Address of the struct bpf_nf_ctx. */
  readonly context: bigint;
  readonly skb: bigint;
  /** Takes everything out of the machine's memory again. */
  release(): void;
}

/** Byte that fills what no fact speaks of. */
const PATTERN = 0xa5;
const HEADROOM = 64;
/** Behind the linear part lies other memory of the kernel, not zeroes. */
const TAILROOM = 256;
const ETHERNET_HEADER = 14;
/** Of struct skb_shared_info, fragments included. */
const SHARED_INFO_SIZE = 320;
/** SKB_GSO_TCPV4 and SKB_GSO_TCPV6. */
const GSO_TCP = { ipv4: 1, ipv6: 16 } as const;
const ARPHRD_ETHER = 1;
const ARPHRD_NONE = 0xfffe;
const MAC_HEADER_UNSET = 0xffff;
const TCP_ESTABLISHED = 1;
const TCP_TIME_WAIT = 6;
const TCP_NEW_SYN_RECV = 12;
const SKB_DST_NOREF = 1n;

/** RTF_* flags of an IPv6 route by the type that xt_addrtype reads from them. */
const ROUTE6_FLAGS: Readonly<Record<number, number>> = { 2: 0x80000000, 4: 0x00100000, 7: 0x0200 };
const RTF_UP = 1;

/** Lays a packet out for `hook`. The machine's packets get an entry for the sk_buff. */
export function layOutPacket(machine: Machine, facts: KernelFacts, hook: Hook, packet: SimulatedPacket): LaidOut {
  const { view } = packet;
  const regions: Region[] = [];
  const map = (name: string, bytes: Uint8Array, strict = false): Region => {
    const region = mapRegion(machine.memory, name, bytes, { writable: false, strict });
    regions.push(region);
    return region;
  };
  const object = (...structs: readonly string[]): KernelObject => kernelObject(facts, structs, map);

  const tools = { object, map, facts };
  const netObject = object('net');
  const net = netObject.address;
  const inDevice = view.in === undefined ? 0n : layOutDevice(object, view.in, packet);
  const outDevice = view.out === undefined ? 0n : layOutDevice(object, view.out, packet);
  const device = inDevice !== 0n ? inDevice : outDevice;
  const macDevice = device === 0n && view.mac !== undefined ? layOutDevice(object, NAMELESS, packet) : device;

  const data = layOutData(map, facts, packet);
  const skb = object('sk_buff');
  skb.set('sk_buff.len', view.skbLength);
  skb.set('sk_buff.data_len', view.skbLength - data.linear);
  skb.set('sk_buff.mark', view.mark);
  skb.set('sk_buff.pkt_type', view.pkttype);
  skb.set('sk_buff.dev', macDevice);
  skb.set('sk_buff.head', data.region.base);
  skb.set('sk_buff.data', data.region.base + BigInt(HEADROOM));
  const hasMac = view.mac !== undefined || view.ethernet !== true;
  skb.set('sk_buff.end', data.end);
  skb.set('sk_buff.mac_header', hasMac ? HEADROOM - ETHERNET_HEADER : MAC_HEADER_UNSET);
  skb.set('sk_buff.mac_len', hasMac ? ETHERNET_HEADER : 0);
  skb.set('sk_buff.sk', layOutSocket(object, packet, net));
  const conntrack = view.ct === undefined ? 0n : layOutConntrack(tools, view, view.ct);
  skb.set('sk_buff._nfct', conntrack | BigInt(view.ctInfo));
  skb.set('sk_buff._skb_refdst', layOutRoute(tools, packet));
  layOutSkbExtensions(tools, skb, netObject, view);

  const state = object('nf_hook_state');
  state.set('nf_hook_state.hook', NF_INET_HOOK[hook]);
  state.set('nf_hook_state.in', inDevice);
  state.set('nf_hook_state.out', outDevice);
  state.set('nf_hook_state.net', net);
  const context = object('bpf_nf_ctx');
  context.set('bpf_nf_ctx.state', state.address);
  context.set('bpf_nf_ctx.skb', skb.address);

  const packetBytes: VmPacket = {
    bytes: view.bytes,
    linear: data.region.base + BigInt(HEADROOM),
    linearLength: data.linear,
  };
  machine.packets.set(skb.address, packetBytes);
  return {
    context: context.address,
    skb: skb.address,
    release() {
      machine.packets.delete(skb.address);
      for (const region of regions) unmapRegion(machine.memory, region);
    },
  };
}

export interface KernelObject {
  readonly address: bigint;
  readonly region: Region;
  /** Writes a member (`struct.member`); only its low bits count. */
  set(member: string, value: bigint | number): void;
  /** Writes bytes at `offset` within a member. */
  setBytes(member: string, offset: number, bytes: Uint8Array): void;
}

export type MakeObject = (...structs: readonly string[]) => KernelObject;
export type MapBytes = (name: string, bytes: Uint8Array, strict?: boolean) => Region;

/** A zeroed object with the members of all the given structs (which share their start, as sock_common and sock do). */
function kernelObject(facts: KernelFacts, structs: readonly string[], map: MapBytes): KernelObject {
  const region = map(structs[0]!, templateOf(facts, structs).slice());
  return {
    address: region.base,
    region,
    set: (member, value) => writeMember(region.view, placeOf(facts, member), value),
    setBytes: (member, offset, bytes) => region.bytes.set(bytes, placeOf(facts, member).offset + offset),
  };
}

const TEMPLATES = new WeakMap<KernelFacts, Map<string, Uint8Array>>();

/** The bytes of a fresh object: the pattern, and zeroes where members lie. */
function templateOf(facts: KernelFacts, structs: readonly string[]): Uint8Array {
  let known = TEMPLATES.get(facts);
  if (known === undefined) {
    known = new Map();
    TEMPLATES.set(facts, known);
  }
  const key = structs.join();
  let template = known.get(key);
  if (template === undefined) {
    const members = Object.entries(facts.members).filter(([name]) => structs.includes(name.split('.')[0]!));
    const size = Math.max(0, ...members.map(([, place]) => place.offset + place.size));
    template = new Uint8Array(Math.ceil(size / 8) * 8).fill(PATTERN);
    const view = new DataView(template.buffer);
    for (const [, place] of members) {
      if (place.size > 8) template.fill(0, place.offset, place.offset + place.size);
      else writeMember(view, place, 0);
    }
    known.set(key, template);
  }
  return template;
}

function placeOf(facts: KernelFacts, member: string): MemberPlace {
  const place = facts.members[member];
  if (place === undefined) throw new Error(`the kernel facts do not say where ${member} lies`);
  return place;
}

/** Writes a member of at most 8 bytes; bits that do not fit are cut off. */
function writeMember(view: DataView, place: MemberPlace, value: bigint | number): void {
  const { offset, size, bitShift = 0, bitCount } = place;
  if (bitCount !== undefined) {
    const mask = ((1 << bitCount) - 1) << bitShift;
    const old = view.getUint8(offset);
    view.setUint8(offset, (old & ~mask) | ((Number(value) << bitShift) & mask));
  } else if (size === 8) view.setBigUint64(offset, BigInt.asUintN(64, BigInt(value)), true);
  else if (size === 4) view.setUint32(offset, Number(BigInt.asUintN(32, BigInt(value))), true);
  else if (size === 2) view.setUint16(offset, Number(value), true);
  else view.setUint8(offset, Number(value));
}

const NAMELESS: DeviceView = { name: '', ifindex: 0 };

function layOutDevice(object: MakeObject, device: DeviceView, packet: SimulatedPacket): bigint {
  const result = object('net_device');
  result.set('net_device.ifindex', device.ifindex);
  result.set('net_device.group', device.group ?? 0);
  const notEthernet = packet.view.mac === undefined && packet.view.ethernet !== true;
  result.set('net_device.hard_header_len', notEthernet ? 0 : ETHERNET_HEADER);
  result.set('net_device.type', notEthernet ? ARPHRD_NONE : ARPHRD_ETHER);
  const name = new Uint8Array(IFNAMSIZ);
  const encoded = new TextEncoder().encode(device.name).subarray(0, DEVICE_NAME_MAX);
  // A rename copies whole words: remains of the old name stand only in words behind the one with the end.
  if (packet.renamedDevices === true && encoded.length < 8) name.fill(0x7a, 8, DEVICE_NAME_MAX);
  name.set(encoded);
  result.setBytes('net_device.name', 0, name);
  return result.address;
}

/** Headroom, the linear part, other memory, and the shared info at `end`, which the address of the head plus that finds. */
function layOutData(
  map: MapBytes,
  facts: KernelFacts,
  packet: SimulatedPacket,
): { region: Region; linear: number; end: number } {
  const { view } = packet;
  const linear = Math.min(packet.linear ?? view.pieces?.[0] ?? view.bytes.length, view.bytes.length);
  const end = Math.ceil((HEADROOM + linear + TAILROOM) / 64) * 64;
  const bytes = new Uint8Array(end + SHARED_INFO_SIZE).fill(PATTERN);
  if (view.mac !== undefined) bytes.set(view.mac.subarray(0, ETHERNET_HEADER), HEADROOM - ETHERNET_HEADER);
  bytes.set(view.bytes.subarray(0, linear), HEADROOM);
  const region = map('packet data', bytes);
  const share = (member: string, value: number): void => {
    const place = placeOf(facts, member);
    writeMember(region.view, { ...place, offset: place.offset + end }, value);
  };
  // The other pieces are fragments. Nothing looks into them but the dynptr.
  const fragments = view.pieces?.slice(1) ?? (linear < view.bytes.length ? [view.bytes.length - linear] : []);
  share('skb_shared_info.nr_frags', fragments.length);
  share('skb_shared_info.frag_list', 0);
  const last = placeOf(facts, 'skb_frag.offset');
  const { offset: frags } = placeOf(facts, 'skb_shared_info.frags');
  const { offset: length, size } = placeOf(facts, 'skb_frag.len');
  fragments.forEach((bytes, index) => {
    const offset = end + frags + index * (last.offset + last.size) + length;
    writeMember(region.view, { offset, size }, bytes);
  });
  share('skb_shared_info.gso_size', view.gsoTcp ? 1448 : 0);
  share('skb_shared_info.gso_type', view.gsoTcp ? GSO_TCP[view.family] : 0);
  return { region, linear, end };
}

/** `skb->sk`: a full socket, a request of one (for an owner who is not the sender), or something that counts as no socket. */
function layOutSocket(object: MakeObject, packet: SimulatedPacket, net: bigint): bigint {
  const { socket: owner, sender } = packet.view;
  const kind = packet.socketless ?? 'null';
  if (owner === undefined && sender === undefined && kind === 'null') return 0n;
  const sock = object('sock', 'sock_common');
  const nobody = owner === undefined && sender === undefined;
  const timeWait = nobody && kind === 'timeWait';
  sock.set('sock_common.skc_state', timeWait ? TCP_TIME_WAIT : TCP_ESTABLISHED);
  sock.set('sock_common.skc_net', nobody && kind === 'otherNamespace' ? net + 8n : net);
  // A sender that nobody owns has no inode.
  if (owner !== undefined || nobody) {
    const socket = object('socket');
    const credentials = owner === undefined ? { uid: 0, gid: 0 } : owner.file;
    if (credentials !== undefined) {
      const cred = object('cred');
      cred.set('cred.fsuid', credentials.uid);
      cred.set('cred.fsgid', credentials.gid);
      const file = object('file');
      file.set('file.f_cred', cred.address);
      socket.set('socket.file', file.address);
    }
    // A time-wait socket is smaller than a full one: what lies there belongs to somebody else.
    sock.set('sock.sk_socket', timeWait ? sock.address : socket.address);
  }
  sock.set('sock.sk_cgrp_data.classid', sender?.classid ?? 0);
  if (sender !== undefined || owner === undefined) return sock.address;
  const request = object('sock_common');
  request.set('sock_common.skc_state', TCP_NEW_SYN_RECV);
  request.set('sock_common.skc_net', net);
  request.set('sock_common.skc_listener', sock.address);
  return request.address;
}

function layOutConntrack(tools: Tools, view: PacketView, ct: ConntrackView): bigint {
  const { object, facts } = tools;
  const entry = object('nf_conn');
  layOutConntrackExtras(tools, entry, ct);
  entry.set('nf_conn.status', ct.status);
  entry.set('nf_conn.mark', ct.mark);
  entry.set('nf_conn.timeout', view.now + BigInt(ct.expires) * BigInt(facts.hz));
  // struct nf_conntrack_tuple_hash tuplehash[IP_CT_DIR_MAX]
  const stride = placeOf(facts, 'nf_conn.tuplehash').size / 2;
  [ct.original, ct.reply].forEach((tuple, direction) => {
    const at = direction * stride + placeOf(facts, 'nf_conntrack_tuple_hash.tuple').offset;
    const write = (offset: number, bytes: Uint8Array): void => entry.setBytes('nf_conn.tuplehash', at + offset, bytes);
    const src = placeOf(facts, 'nf_conntrack_tuple.src').offset;
    const dst = placeOf(facts, 'nf_conntrack_tuple.dst').offset;
    write(src, endpoint(view, tuple.saddr, tuple.sport));
    write(src + 18, Uint8Array.of(view.family === 'ipv4' ? 2 : 10, 0));
    write(dst, endpoint(view, tuple.daddr, tuple.dport));
    write(dst + 18, Uint8Array.of(ct.protonum, direction));
  });
  return entry.address;
}

/** union nf_inet_addr (16 bytes, network order) and union nf_conntrack_man_proto (2 bytes, network order). */
function endpoint(view: PacketView, address: TupleView['saddr'], port: number): Uint8Array {
  const bytes = new Uint8Array(18);
  const length = view.family === 'ipv4' ? 4 : 16;
  for (let i = 0; i < length; i++) bytes[i] = Number((address >> BigInt(8 * (length - 1 - i))) & 0xffn);
  bytes[16] = port >> 8;
  bytes[17] = port & 0xff;
  return bytes;
}

function layOutRoute(tools: Tools, packet: SimulatedPacket): bigint {
  const { family, routeDstType: type } = packet.view;
  if (type === 0) return 0n;
  const route = tools.object('rtable', 'rt6_info', 'dst_entry', 'xfrm_dst');
  layOutRouteExtras(tools, route, packet.view);
  if (family === 'ipv4') route.set('rtable.rt_type', type);
  else route.set('rt6_info.rt6i_flags', (ROUTE6_FLAGS[type] ?? 0) | RTF_UP);
  return packet.routeNoref === true ? route.address | SKB_DST_NOREF : route.address;
}
