/** Who is at the other end of a unix socket, told by the kernel. */

import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { SyscallError } from './errno.ts';
import { syscall, trySyscall } from './syscall.ts';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERPIDFD = 77;

/** The process that connected. Owns a descriptor. */
export interface Peer {
  readonly pid: number;
  /** Effective user id, in the user namespace of this process. */
  readonly uid: number;
  /** Effective capabilities, bit by number; none where its user namespace is another than ours. */
  readonly capabilities: bigint;
  /** Path of its network namespace as it was when asked; good until close(). */
  readonly netns: string;
  close(): void;
}

/**
 * Asks about the peer of a connected socket. A process id alone may belong to another process by the time it is looked up: a descriptor of the
 * process (SO_PEERPIDFD, Linux 6.5) tells afterwards that it was still the one. @throws SyscallError, ESRCH when it is gone
 */
export function peerOf(socket: number): Peer {
  const credentials = new Uint8Array(12);
  syscall('getsockopt', [socket, SOL_SOCKET, SO_PEERCRED, credentials, length(12)], 'getsockopt(SO_PEERCRED)');
  const view = new DataView(credentials.buffer);
  const [pid, uid] = [view.getInt32(0, true), view.getUint32(4, true)];
  const handle = new Uint8Array(4);
  syscall('getsockopt', [socket, SOL_SOCKET, SO_PEERPIDFD, handle, length(4)], 'getsockopt(SO_PEERPIDFD)');
  const pidfd = new DataView(handle.buffer).getInt32(0, true);
  try {
    const capabilities = capabilitiesOf(pid);
    const netns = openSync(`/proc/${pid}/ns/net`, 'r');
    // Still alive: what was read under its number was its own.
    const alive = trySyscall('pidfd_send_signal', pidfd, 0, 0, 0);
    if (alive < 0) {
      closeSync(netns);
      throw new SyscallError('pidfd_send_signal', -alive);
    }
    return { pid, uid, capabilities, netns: `/proc/self/fd/${netns}`, close: () => closeSync(netns) };
  } finally {
    closeSync(pidfd);
  }
}

function length(bytes: number): Uint8Array {
  return Uint8Array.of(bytes, 0, 0, 0);
}

function capabilitiesOf(pid: number): bigint {
  const [own, theirs] = ['self', pid].map((process) => statSync(`/proc/${process}/ns/user`));
  if (own!.ino !== theirs!.ino || own!.dev !== theirs!.dev) return 0n;
  const found = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return BigInt(`0x${found?.[1] ?? '0'}`);
}
