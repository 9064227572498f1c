/** Network namespaces: entering one for the length of a function, and telling them apart. */

import { closeSync, existsSync, openSync, statSync } from 'node:fs';
import { isErrno, SyscallError, withHint } from './errno.ts';
import { syscall } from './syscall.ts';

const CLONE_NEWNET = 0x40000000;
/** The calling thread's own: /proc/self names the main thread's. */
const OWN = '/proc/thread-self/ns/net';
/** Where `ip netns` keeps its names. */
const NAMED = '/run/netns';

/** The file of a namespace given as a name of `ip netns`, a path, or a process id (a name that exists wins). */
export function namespacePath(namespace: string): string {
  if (namespace.includes('/')) return namespace;
  const named = `${NAMED}/${namespace}`;
  if (/^[1-9]\d*$/.test(namespace) && !existsSync(named)) return `/proc/${namespace}/ns/net`;
  return named;
}

/** Tells a namespace from others that are there at the same time, by its file. undefined: the calling thread's own. */
export function namespaceIdentity(namespace: string | undefined): string {
  const { dev, ino } = statSync(namespace === undefined ? OWN : namespacePath(namespace));
  return `${dev} ${ino}`;
}

/**
 * Runs `fn` with the calling thread in another network namespace and comes back, also when `fn` throws. `undefined`: just runs it.
 *
 * Only the calling thread moves: sockets, links and child processes made by `fn` belong to the namespace; work that `fn` leaves
 * to the thread pool or to later does not, so `fn` must not be asynchronous.
 */
export function withNamespace<T>(namespace: string | undefined, fn: () => T): T {
  if (namespace === undefined) return fn();
  const target = openNamespace(namespacePath(namespace), `network namespace ${namespace}`);
  try {
    return away(() => enter(target, `entering network namespace ${namespace}`), fn);
  } finally {
    closeSync(target);
  }
}

/** Runs `fn` in a new, empty network namespace, which is gone afterwards unless something made by `fn` holds it. */
export function withTemporaryNamespace<T>(fn: () => T): T {
  return away(() => attempt('unshare', [CLONE_NEWNET], 'making a network namespace'), fn);
}

/** `leave` moves the thread to another namespace, `fn` runs there, and the thread comes back. */
function away<T>(leave: () => void, fn: () => T): T {
  const own = openNamespace(OWN, 'own network namespace');
  try {
    leave();
    try {
      const result = fn();
      if (result instanceof Promise)
        throw new TypeError('a function that runs in a namespace must not be asynchronous');
      return result;
    } finally {
      enter(own, 'returning to the own network namespace');
    }
  } finally {
    closeSync(own);
  }
}

function openNamespace(path: string, what: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    throw new SyscallError(`opening ${what}`, -errno, code === 'ENOENT' ? `${path} does not exist` : path);
  }
}

function enter(fd: number, command: string): void {
  attempt('setns', [fd, CLONE_NEWNET], command);
}

function attempt(name: 'setns' | 'unshare', args: readonly number[], command: string): void {
  try {
    syscall(name, args, command);
  } catch (error) {
    throw isErrno(error, 'EPERM') ? withHint(error, 'this needs CAP_SYS_ADMIN (run as root)') : error;
  }
}

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const SOL_SOCKET = 1;
const SO_NETNS_COOKIE = 71;

/** The current network namespace's cookie (Linux 5.14): unique until the machine restarts, unlike its inode number. */
export function namespaceCookie(): bigint {
  const socket = syscall('socket', [AF_INET, SOCK_DGRAM_CLOEXEC, 0]);
  try {
    const value = new Uint8Array(8);
    const length = new Uint8Array([8, 0, 0, 0]);
    syscall('getsockopt', [socket, SOL_SOCKET, SO_NETNS_COOKIE, value, length], 'getsockopt(SO_NETNS_COOKIE)');
    return new DataView(value.buffer).getBigUint64(0, true);
  } finally {
    closeSync(socket);
  }
}
