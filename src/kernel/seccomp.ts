/** seccomp user notifications: a filter for the calling thread, and the calls that it hands to whoever holds the listener. */

import { ERRNO, SyscallError } from './errno.ts';
import { tableCallFilter } from './seccomp-filter.ts';
import { addressOf, syscall, syscallAsync, trySyscall } from './syscall.ts';

const SECCOMP_SET_MODE_FILTER = 1;
/** SECCOMP_FILTER_FLAG_NEW_LISTENER; and WAIT_KILLABLE_RECV: a call that is being answered is not begun again for a signal. */
const FLAGS = 0x08 | 0x20;
/** SECCOMP_IOCTL_NOTIF_* */
const IOCTL = { RECV: 0xc050_2100, SEND: 0xc018_2101, ID_VALID: 0x4008_2102, SET_FLAGS: 0x4008_2104 } as const;
const FD_SYNC_WAKE_UP = 1;
const CONTINUE = 1;
const NOTIFICATION_BYTES = 80;
const RESPONSE_BYTES = 24;
const POLLIN = 1;

/**
 * Puts the filter on the calling thread; it goes on to everything that thread executes and starts. Needs CAP_SYS_ADMIN.
 * @returns the descriptor of the listener, closed on exec
 * @throws SyscallError (EBUSY: there is a listener already)
 */
export function installTableCallFilter(): number {
  const filter = tableCallFilter(process.arch === 'arm64' ? 'arm64' : 'x64');
  const program = new Uint8Array(16);
  const view = new DataView(program.buffer);
  view.setUint16(0, filter.length / 8, true);
  view.setBigUint64(8, addressOf(filter), true);
  const listener = syscall('seccomp', [SECCOMP_SET_MODE_FILTER, FLAGS, program, filter], 'seccomp');
  return listener;
}

/** A system call that waits for an answer. */
export interface Notification {
  readonly id: bigint;
  /** The thread, as this process numbers it. */
  readonly thread: number;
  /** Number of the system call. */
  readonly call: number;
  /** Six arguments as they are. */
  readonly args: readonly bigint[];
}

/** Owns the descriptor. */
export interface Listener {
  /** Resolves when there is something to receive or nobody is left; at the latest after so many milliseconds. */
  wait(milliseconds: number): Promise<void>;
  /** `call`: take it with receive; `over`: no process has the filter any more. Waits for so many milliseconds. */
  poll(milliseconds: number): 'call' | 'nothing' | 'over';
  /** Undefined: the caller has died meanwhile. */
  receive(): Notification | undefined;
  /** Whether the caller still waits: what was read of its memory before this answer was its own. */
  isWaiting(id: bigint): boolean;
  /** Ends the call with 0, or as failed with an error number. False: the caller is gone. */
  answer(id: bigint, errno: number): boolean;
  /** Lets the kernel carry the call out. */
  passOn(id: bigint): boolean;
  close(): void;
}

export function openListener(fd: number, close: (fd: number) => void): Listener {
  const notification = new Uint8Array(NOTIFICATION_BYTES);
  const read = new DataView(notification.buffer);
  const response = new Uint8Array(RESPONSE_BYTES);
  const write = new DataView(response.buffer);
  const ids = new BigUint64Array(1);
  const idBytes = new Uint8Array(ids.buffer);
  // Hands the processor over at once where the kernel can (6.6); else it is only slower.
  trySyscall('ioctl', fd, IOCTL.SET_FLAGS, FD_SYNC_WAKE_UP);

  const pollSet = (): Uint8Array => {
    const set = new Uint8Array(8);
    const view = new DataView(set.buffer);
    view.setInt32(0, fd, true);
    view.setInt16(4, POLLIN, true);
    return set;
  };
  const own = pollSet();
  const ownView = new DataView(own.buffer);
  const send = (id: bigint, error: number, flags: number): boolean => {
    write.setBigUint64(0, id, true);
    write.setBigInt64(8, 0n, true);
    write.setInt32(16, error, true);
    write.setUint32(20, flags, true);
    return trySyscall('ioctl', fd, IOCTL.SEND, response) >= 0;
  };
  return {
    wait: async (milliseconds) => {
      await syscallAsync('ppoll', [pollSet(), 1, timespec(milliseconds), undefined, 0]);
    },
    poll(milliseconds) {
      ownView.setInt16(6, 0, true);
      const ready = trySyscall('ppoll', own, 1, timespec(milliseconds), undefined, 0);
      if (ready <= 0) return 'nothing';
      return (ownView.getInt16(6, true) & POLLIN) !== 0 ? 'call' : 'over';
    },
    receive() {
      notification.fill(0);
      const result = trySyscall('ioctl', fd, IOCTL.RECV, notification);
      if (result === -ERRNO.ENOENT.number || result === -ERRNO.EINTR.number) return undefined;
      if (result < 0) throw new SyscallError('receiving a call', -result);
      return {
        id: read.getBigUint64(0, true),
        thread: read.getUint32(8, true),
        call: read.getInt32(16, true),
        args: [0, 1, 2, 3, 4, 5].map((index) => read.getBigUint64(32 + 8 * index, true)),
      };
    },
    isWaiting(id) {
      ids[0] = id;
      return trySyscall('ioctl', fd, IOCTL.ID_VALID, idBytes) >= 0;
    },
    answer: (id, errno) => send(id, -errno, 0),
    passOn: (id) => send(id, 0, CONTINUE),
    close: () => close(fd),
  };
}

function timespec(milliseconds: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, BigInt(Math.floor(milliseconds / 1000)), true);
  view.setBigInt64(8, BigInt(Math.round((milliseconds % 1000) * 1e6)), true);
  return bytes;
}
