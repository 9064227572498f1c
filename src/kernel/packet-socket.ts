/**
 * Sockets below and beside the usual ones: whole frames on one device (AF_PACKET), whole packets from this machine
 * (raw sockets with the header included), and plain sockets whose every call returns at once.
 *
 * A socket belongs to the network namespace in which it was opened, wherever it is used later.
 * All functions are synchronous; nothing waits.
 */
import { closeSync } from 'node:fs';
import type { Family } from '../packet/netfilter.ts';
import { syscall, trySyscall } from './syscall.ts';

const AF = { ipv4: 2, ipv6: 10, packet: 17 } as const;
const SOCK = { stream: 1, datagram: 2, raw: 3, nonblocking: 0o4000, closeOnExec: 0o2000000 } as const;
const SOL_SOCKET = 1;
const SOL_PACKET = 263;
const SO = {
  reuseAddress: 2,
  broadcast: 6,
  receiveBufferForce: 33,
  mark: 36,
  sendBufferForce: 32,
  bindToIfindex: 62,
} as const;
/** SOL_IP, IP_TRANSPARENT; SOL_IPV6, IPV6_TRANSPARENT. */
const TRANSPARENT = { ipv4: { level: 0, option: 19 }, ipv6: { level: 41, option: 75 } } as const;
const PACKET_IGNORE_OUTGOING = 23;
const IPPROTO_RAW = 255;
const MSG_DONTWAIT = 0x40;
const EAGAIN = -11;
/** Largest frame a socket here can receive: a GRO aggregate with its headers. */
const LARGEST_FRAME = 1 << 18;

/** One shared buffer: nothing waits, so no two calls overlap. */
const inbox = new Uint8Array(LARGEST_FRAME);

function setOption(fd: number, level: number, option: number, value: number): void {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  syscall('setsockopt', [fd, level, option, bytes, bytes.length], 'setsockopt');
}

/** Network byte order of a 16-bit number, as the member of a little-endian structure. */
function big16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}

function receiveInto(fd: number): Uint8Array | undefined {
  const length = trySyscall('recvfrom', fd, inbox, inbox.length, MSG_DONTWAIT, undefined, undefined);
  return length < 0 ? undefined : inbox.slice(0, length);
}

/** Owns a file descriptor. */
export interface PacketSocket {
  readonly fd: number;
  /** Sends one frame, beginning with its Ethernet header. Returns 0 or the negative error number. */
  send(frame: Uint8Array): number;
  /** The next frame that arrived, or undefined when there is none now. */
  receive(): Uint8Array | undefined;
  close(): void;
}

export interface PacketSocketOptions {
  readonly ifindex: number;
  /** EtherType to receive; default: every frame. 0 receives nothing. */
  readonly protocol?: number;
}

/** Opens a packet socket on one device of the current namespace; it does not see the frames that the device sends. */
export function openPacketSocket(options: PacketSocketOptions): PacketSocket {
  const { ifindex, protocol = 3 } = options;
  const fd = syscall('socket', [AF.packet, SOCK.raw | SOCK.closeOnExec, 0], 'socket(AF_PACKET)');
  try {
    setOption(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
    setOption(fd, SOL_SOCKET, SO.receiveBufferForce, 1 << 28);
    setOption(fd, SOL_SOCKET, SO.sendBufferForce, 1 << 24);
    const address = new Uint8Array(20);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF.packet, true);
    view.setUint16(2, big16(protocol), true);
    view.setInt32(4, ifindex, true);
    syscall('bind', [fd, address, address.length], 'bind(AF_PACKET)');
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return {
    fd,
    send: (frame) => Math.min(0, trySyscall('sendto', fd, frame, frame.length, 0, undefined, 0)),
    receive: () => receiveInto(fd),
    close: () => closeSync(fd),
  };
}

/** `struct sockaddr_in` or `sockaddr_in6`; the address as 4 or 16 bytes. */
export function socketAddress(address: Uint8Array, port: number, scope = 0): Uint8Array {
  const ipv6 = address.length === 16;
  const bytes = new Uint8Array(ipv6 ? 28 : 16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, ipv6 ? AF.ipv6 : AF.ipv4, true);
  view.setUint16(2, port);
  bytes.set(address, ipv6 ? 8 : 4);
  if (ipv6) view.setUint32(24, scope, true);
  return bytes;
}

/** Owns a file descriptor. */
export interface RawSocket {
  /**
   * Sends one packet, beginning with its IP header, through LOCAL_OUT to `destination` (the address bytes by which it is
   * routed). The kernel fills in an IPv4 header's checksum and length. Returns 0 or the negative error number.
   */
  send(packet: Uint8Array, destination: Uint8Array): number;
  setMark(mark: number): void;
  /** Sends through this device, whatever the routes say. */
  bindToDevice(ifindex: number): void;
  close(): void;
}

/** Opens a raw socket that takes whole packets, in the current namespace. `scope` is the device of link-local destinations. */
export function openRawSocket(family: Family, scope = 0): RawSocket {
  const fd = syscall('socket', [AF[family], SOCK.raw | SOCK.closeOnExec, IPPROTO_RAW], 'socket(SOCK_RAW)');
  setOption(fd, SOL_SOCKET, SO.broadcast, 1);
  setOption(fd, SOL_SOCKET, SO.sendBufferForce, 1 << 24);
  return {
    send(packet, destination) {
      const address = socketAddress(destination, 0, scope);
      return Math.min(0, trySyscall('sendto', fd, packet, packet.length, MSG_DONTWAIT, address, address.length));
    },
    setMark: (mark) => setOption(fd, SOL_SOCKET, SO.mark, mark | 0),
    bindToDevice: (ifindex) => setOption(fd, SOL_SOCKET, SO.bindToIfindex, ifindex),
    close: () => closeSync(fd),
  };
}

/** Owns a file descriptor. Every call returns at once with a result >= 0 or the negative error number. */
export interface StackSocket {
  readonly fd: number;
  bind(address: Uint8Array, port: number): number;
  connect(address: Uint8Array, port: number): number;
  listen(): number;
  /** A connection that was made to this listening socket, or undefined. */
  accept(): StackSocket | undefined;
  send(data: Uint8Array): number;
  sendTo(data: Uint8Array, address: Uint8Array, port: number): number;
  /** What arrived, undefined when nothing has; an empty array is the end of a stream. */
  receive(): Uint8Array | undefined;
  setMark(mark: number): void;
  /** Lets the socket have addresses that are not this machine's (IP_TRANSPARENT). Before bind. */
  setTransparent(family: Family): void;
  /** May be called again. */
  close(): void;
}

/** Opens a TCP or UDP socket in the current namespace. */
export function openStackSocket(family: Family, kind: 'tcp' | 'udp'): StackSocket {
  const type = kind === 'tcp' ? SOCK.stream : SOCK.datagram;
  const fd = syscall('socket', [AF[family], type | SOCK.closeOnExec | SOCK.nonblocking, 0], 'socket');
  setOption(fd, SOL_SOCKET, SO.reuseAddress, 1);
  return stackSocket(fd);
}

function stackSocket(fd: number): StackSocket {
  let open = true;
  const at = (name: 'bind' | 'connect', address: Uint8Array, port: number): number => {
    const bytes = socketAddress(address, port);
    return trySyscall(name, fd, bytes, bytes.length);
  };
  return {
    fd,
    bind: (address, port) => at('bind', address, port),
    connect: (address, port) => at('connect', address, port),
    listen: () => trySyscall('listen', fd, 16),
    accept() {
      const accepted = trySyscall('accept4', fd, undefined, undefined, SOCK.closeOnExec | SOCK.nonblocking);
      return accepted < 0 ? undefined : stackSocket(accepted);
    },
    send: (data) => trySyscall('sendto', fd, data, data.length, MSG_DONTWAIT, undefined, 0),
    sendTo(data, address, port) {
      const bytes = socketAddress(address, port);
      return trySyscall('sendto', fd, data, data.length, MSG_DONTWAIT, bytes, bytes.length);
    },
    receive: () => receiveInto(fd),
    setMark: (mark) => setOption(fd, SOL_SOCKET, SO.mark, mark | 0),
    setTransparent: (family) => setOption(fd, TRANSPARENT[family].level, TRANSPARENT[family].option, 1),
    close() {
      if (open) closeSync(fd);
      open = false;
    },
  };
}

/** Whether a result of this file means "try again later". */
export function wouldBlock(result: number): boolean {
  return result === EAGAIN;
}

/**
 * Runs `body` with the file system identity of another user (setfsuid, setfsgid): sockets opened in it belong to that user,
 * which is what the owner match looks at. The calling thread only.
 */
export function asUser<T>(uid: number, gid: number, body: () => T): T {
  const oldGid = trySyscall('setfsgid', gid);
  const oldUid = trySyscall('setfsuid', uid);
  try {
    return body();
  } finally {
    trySyscall('setfsuid', oldUid);
    trySyscall('setfsgid', oldGid);
  }
}

/** Keeps the calling thread on one CPU, so that packets it sends over virtual links stay in order. Returns success. */
export function pinToCpu(cpu: number): boolean {
  const mask = new Uint8Array(128);
  mask[cpu >> 3] = 1 << (cpu & 7);
  return trySyscall('sched_setaffinity', 0, mask.length, mask) >= 0;
}
