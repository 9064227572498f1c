/** News of network devices of the calling thread's network namespace (RTNLGRP_LINK): made, gone, renamed, switched on or off. */

import { closeSync } from 'node:fs';
import { ERRNO, SyscallError } from './errno.ts';
import { syscall, trySyscall } from './syscall.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0o2000000 | 0o4000;
const NETLINK_ROUTE = 0;
const RTMGRP_LINK = 1;

/** Owns a socket that belongs to the namespace it was opened in. */
export interface LinkMonitor {
  /** For poll and epoll. */
  readonly fd: number;
  /** Whether something has changed since the last call; what was missed counts as a change. Does not wait. */
  changed(): boolean;
  close(): void;
}

/** @throws SyscallError */
export function openLinkMonitor(): LinkMonitor {
  const fd = syscall('socket', [AF_NETLINK, SOCK_RAW_CLOEXEC_NONBLOCK, NETLINK_ROUTE], 'socket(NETLINK_ROUTE)');
  try {
    const address = new Uint8Array(12);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_NETLINK, true);
    view.setUint32(8, RTMGRP_LINK, true);
    syscall('bind', [fd, address, address.length], 'listening for changes of network devices');
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const message = new Uint8Array(8192);
  return {
    fd,
    changed() {
      let news = false;
      for (;;) {
        const length = trySyscall('recvfrom', fd, message, message.length, 0);
        if (length === -ERRNO.EAGAIN.number) return news;
        // ENOBUFS: more came than there was room for.
        if (length < 0 && length !== -ERRNO.ENOBUFS.number) throw new SyscallError('recvfrom', -length);
        news = true;
      }
    },
    close: () => closeSync(fd),
  };
}
