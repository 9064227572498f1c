/** Telling the service manager how a service is doing (sd_notify(3)). */

import { closeSync } from 'node:fs';
import { syscall } from './syscall.ts';

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_NOSIGNAL = 0x4000;

/** Sends `state`, such as `READY=1`, to the socket that NOTIFY_SOCKET names: a path, or `@` and an abstract name. @throws SyscallError */
export function notifyManager(name: string, state: string): void {
  const path = Buffer.from(name.replace(/^@/, '\0'), 'utf8');
  const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), path, ...(name.startsWith('@') ? [] : [Buffer.alloc(1)])]);
  const text = Buffer.from(state, 'utf8');
  const socket = syscall('socket', [AF_UNIX, SOCK_DGRAM_CLOEXEC, 0], 'socket(AF_UNIX)');
  try {
    syscall('sendto', [socket, text, text.length, MSG_NOSIGNAL, address, address.length], 'sendto(NOTIFY_SOCKET)');
  } finally {
    closeSync(socket);
  }
}
