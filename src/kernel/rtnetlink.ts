/**
 * Links, addresses and routes through NETLINK_ROUTE, for throwaway networks on machines without iproute2. Every function works
 * in the calling thread's network namespace and throws SyscallError when the kernel refuses.
 */
import { closeSync, openSync } from 'node:fs';
import { type Family, NFPROTO } from '../packet/netfilter.ts';
import { SyscallError } from './errno.ts';
import { withTemporaryNamespace } from './namespace.ts';
import { type AttributeTable, attributes, NLM_F, parseMessages } from './netlink-message.ts';
import { syscall, trySyscall } from './syscall.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_ROUTE = 0;
const NLMSG_ERROR = 2;
const RTM = { NEWLINK: 16, NEWADDR: 20, NEWROUTE: 24 } as const;
const CREATE = NLM_F.CREATE | NLM_F.EXCL;

/** Attributes of rtnetlink; its integers are in host byte order, so they are given as bytes. */
const IFLA = {
  ADDRESS: [1, 'bytes'],
  IFNAME: [3, 'string'],
  LINKINFO: [18, 'nested'],
  NET_NS_FD: [28, 'bytes'],
} as const satisfies AttributeTable;
const IFLA_INFO = { KIND: [1, 'string'], DATA: [2, 'nested'] } as const satisfies AttributeTable;
const VETH_INFO = { PEER: [1, 'nested'] } as const satisfies AttributeTable;
const IFA = { ADDRESS: [1, 'bytes'], LOCAL: [2, 'bytes'], FLAGS: [8, 'bytes'] } as const satisfies AttributeTable;
const RTA = { OIF: [4, 'bytes'] } as const satisfies AttributeTable;

const IFF = { UP: 1, NOARP: 0x80, MULTICAST: 0x1000 } as const;
/** No duplicate address detection: the address works at once. */
const IFA_F_NODAD = 2;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RT_SCOPE_LINK = 253;
const RTN_UNICAST = 1;

/** Owns a network namespace without a name: it goes when this is closed and nobody is left in it. */
export interface NamelessNamespace {
  /** For withNamespace; only within this process. */
  readonly path: string;
  readonly fd: number;
  close(): void;
}

/** Makes a network namespace; the calling thread stays where it is. */
export function createNamespace(): NamelessNamespace {
  const fd = withTemporaryNamespace(() => openSync('/proc/thread-self/ns/net', 'r'));
  return { fd, path: `/proc/self/fd/${fd}`, close: () => closeSync(fd) };
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** struct ifinfomsg: family, type, index, flags, change mask. */
function linkHead(index = 0, flags = 0, change = 0): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, change, true);
  return bytes;
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

/** Sends one request and waits for its acknowledgment. */
function request(type: number, flags: number, payload: Uint8Array, what: string): void {
  const message = new Uint8Array(16 + payload.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags | NLM_F.REQUEST | NLM_F.ACK, true);
  view.setUint32(8, 1, true);
  message.set(payload, 16);
  const socket = syscall('socket', [AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE], 'socket(NETLINK_ROUTE)');
  try {
    const kernel = Uint8Array.of(AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    syscall('sendto', [socket, message, message.length, 0, kernel, kernel.length], what);
    const answer = new Uint8Array(8192);
    const length = trySyscall('recvfrom', socket, answer, answer.length, 0);
    if (length < 0) throw new SyscallError(what, -length);
    for (const { type: kind, payload: body } of parseMessages(answer.subarray(0, length))) {
      if (kind !== NLMSG_ERROR) continue;
      const errno = -new DataView(body.buffer, body.byteOffset).getInt32(0, true);
      if (errno !== 0) throw new SyscallError(what, errno);
    }
  } finally {
    closeSync(socket);
  }
}

export interface VethEnd {
  readonly name: string;
  /** Six bytes. */
  readonly mac: Uint8Array;
}

/** Makes a pair of virtual Ethernet devices, one end here, the other in another namespace. */
export function createVethPair(here: VethEnd, there: VethEnd, namespace: NamelessNamespace): void {
  const peer = join(
    linkHead(),
    attributes(IFLA, { IFNAME: there.name, ADDRESS: there.mac, NET_NS_FD: u32(namespace.fd) }),
  );
  const info = attributes(IFLA_INFO, { KIND: 'veth', DATA: attributes(VETH_INFO, { PEER: peer }) });
  const payload = join(linkHead(), attributes(IFLA, { IFNAME: here.name, ADDRESS: here.mac, LINKINFO: info }));
  request(RTM.NEWLINK, CREATE, payload, `making the link ${here.name}`);
}

/** Switches a device on; `quiet`: without ARP, neighbour discovery and multicast groups. */
export function linkUp(index: number, quiet = false): void {
  // Quiet first: a device that can do multicast joins groups when it comes up.
  if (quiet) request(RTM.NEWLINK, 0, linkHead(index, IFF.NOARP, IFF.NOARP | IFF.MULTICAST), 'changing a link');
  request(RTM.NEWLINK, 0, linkHead(index, IFF.UP, IFF.UP), 'switching a link on');
}

/** Address families have the numbers of netfilter's protocols. */
const AF: Readonly<Record<Family, number>> = NFPROTO;

/** Gives a device an address, in network byte order, usable at once. */
export function addAddress(index: number, family: Family, address: Uint8Array, prefix: number): void {
  const head = Uint8Array.of(AF[family], prefix, 0, 0, ...u32(index));
  const flags = family === 'ipv6' ? { FLAGS: u32(IFA_F_NODAD) } : {};
  const payload = join(head, attributes(IFA, { LOCAL: address, ADDRESS: address, ...flags }));
  request(RTM.NEWADDR, CREATE, payload, 'adding an address');
}

/** Sends everything that has no other route out of a device. */
export function addDefaultRoute(index: number, family: Family): void {
  // struct rtmsg: family, lengths of destination and source, tos, table, protocol, scope, type, flags.
  const head = Uint8Array.of(
    AF[family],
    ...[0, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, family === 'ipv4' ? RT_SCOPE_LINK : 0, RTN_UNICAST, 0, 0, 0, 0],
  );
  request(RTM.NEWROUTE, CREATE, join(head, attributes(RTA, { OIF: u32(index) })), 'adding a route');
}

const SIOCGIFINDEX = 0x8933;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;

/** Index of a device. */
export function indexOfDevice(name: string): number {
  const request = new Uint8Array(40);
  request.set(new TextEncoder().encode(name).subarray(0, 15));
  const socket = syscall('socket', [AF_INET, SOCK_DGRAM_CLOEXEC, 0], 'socket');
  try {
    syscall('ioctl', [socket, SIOCGIFINDEX, request], `looking for the device ${name}`);
    return new DataView(request.buffer).getInt32(16, true);
  } finally {
    closeSync(socket);
  }
}
