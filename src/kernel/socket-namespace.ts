/** Which network namespace a socket belongs to, and whether a thread may change the firewall there. */

import { closeSync, fstatSync, statSync } from 'node:fs';
import { syscall, trySyscall } from './syscall.ts';

const SOL_SOCKET = 1;
const SO_DOMAIN = 39;
const SO_NETNS_COOKIE = 71;
const SIOCGSKNS = 0x894c;
/** NS_GET_USERNS, NS_GET_PARENT, NS_GET_OWNER_UID (include/uapi/linux/nsfs.h) */
const NS = { userns: 0xb701, parent: 0xb702, ownerUid: 0xb704 } as const;
const CAP_NET_ADMIN = 12;
const CAPABILITY_VERSION_3 = 0x2008_0522;

/** What is known of a socket at once. */
export interface SocketPlace {
  /** AF_* */
  readonly domain: number;
  /** The namespace's cookie, unique until the machine restarts. */
  readonly cookie: bigint;
}

/** Undefined: the descriptor is no socket. */
export function socketPlace(fd: number): SocketPlace | undefined {
  const domain = option(fd, SO_DOMAIN, 4);
  const cookie = option(fd, SO_NETNS_COOKIE, 8);
  if (domain === undefined || cookie === undefined) return undefined;
  return { domain: domain.getInt32(0, true), cookie: cookie.getBigUint64(0, true) };
}

function option(fd: number, name: number, size: number): DataView | undefined {
  const value = new Uint8Array(size);
  const length = new Uint8Array([size, 0, 0, 0]);
  return trySyscall('getsockopt', fd, SOL_SOCKET, name, value, length) < 0 ? undefined : new DataView(value.buffer);
}

/** A descriptor of the socket's network namespace, which lives as long as that; the caller closes it. @throws SyscallError */
export function namespaceOfSocket(fd: number): number {
  return syscall('ioctl', [fd, SIOCGSKNS], 'asking for the network namespace of a socket');
}

/** A user namespace. */
export interface Owner {
  readonly ino: number;
  readonly dev: number;
  /** Whose it is. */
  readonly uid: number;
}

/** The user namespace that owns a network namespace, then its parents as far as they can be seen. @throws SyscallError */
export function ownersOf(namespace: number): readonly Owner[] {
  const owners: Owner[] = [];
  let next = syscall('ioctl', [namespace, NS.userns], 'asking who owns a network namespace');
  while (next >= 0) {
    const { ino, dev } = fstatSync(next);
    const uid = new Uint8Array(4);
    syscall('ioctl', [next, NS.ownerUid, uid], 'asking whose a user namespace is');
    owners.push({ ino, dev, uid: new DataView(uid.buffer).getUint32(0, true) });
    const parent = trySyscall('ioctl', next, NS.parent);
    closeSync(next);
    next = parent;
  }
  return owners;
}

/**
 * Whether a thread has CAP_NET_ADMIN in the user namespace that owns a network namespace: the kernel's `ns_capable`, asked from outside
 * (security/commoncap.c).
 */
export function mayAdminister(thread: number, owners: readonly Owner[]): boolean {
  const { ino, dev } = statSync(`/proc/${thread}/ns/user`);
  const at = owners.findIndex((owner) => owner.ino === ino && owner.dev === dev);
  if (at === -1) return false;
  if (effectiveNetAdmin(thread)) return true;
  // Who has made a user namespace may do everything in it, as seen from its parent.
  return at > 0 && owners[at - 1]!.uid === statSync(`/proc/${thread}`).uid;
}

function effectiveNetAdmin(thread: number): boolean {
  const header = new Uint8Array(new Uint32Array([CAPABILITY_VERSION_3, thread]).buffer);
  const data = new Uint8Array(24);
  if (trySyscall('capget', header, data) < 0) return false;
  return (new DataView(data.buffer).getUint32(0, true) & (1 << CAP_NET_ADMIN)) !== 0;
}
