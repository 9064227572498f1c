/** Memory and descriptors of another process (process_vm_readv(2), pidfd_getfd(2)): what CAP_SYS_PTRACE over it allows. */

import { closeSync } from 'node:fs';
import { ERRNO, SyscallError } from './errno.ts';
import { addressOf, syscall, trySyscall } from './syscall.ts';

function vector(address: bigint, length: number): Uint8Array {
  const words = new BigUint64Array([address, BigInt(length)]);
  return new Uint8Array(words.buffer);
}

/** Reads memory of a thread's process. Undefined: it has no such memory (all of it), or is gone. @throws SyscallError (EPERM) */
export function readMemory(pid: number, address: bigint, length: number): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  return length === 0 || transfer('process_vm_readv', pid, bytes, address) ? bytes : undefined;
}

/** Writes memory of a thread's process. False: it has no such memory, all of it, or is gone. @throws SyscallError (EPERM) */
export function writeMemory(pid: number, address: bigint, bytes: Uint8Array): boolean {
  return bytes.length === 0 || transfer('process_vm_writev', pid, bytes, address);
}

function transfer(
  name: 'process_vm_readv' | 'process_vm_writev',
  pid: number,
  bytes: Uint8Array,
  address: bigint,
): boolean {
  const here = vector(addressOf(bytes), bytes.length);
  const there = vector(address, bytes.length);
  const result = trySyscall(name, pid, here, 1, there, 1, 0);
  if (result === -ERRNO.EPERM.number) throw new SyscallError(name, -result);
  return result === bytes.length;
}

/** A copy of a descriptor that another process has, for the length of a function; `thread` may be any of its threads. */
export function withForeignDescriptor<T>(thread: number, fd: number, fn: (fd: number) => T): T {
  const own = takeDescriptor(thread, fd);
  try {
    return fn(own);
  } finally {
    closeSync(own);
  }
}

/** PIDFD_THREAD (Linux 6.9): a thread that is not the first of its process. */
const PIDFD_THREAD = 0o200;

/** The caller closes it. @throws SyscallError (EBADF, ESRCH, EPERM) */
export function takeDescriptor(thread: number, fd: number): number {
  const first = trySyscall('pidfd_open', thread, 0);
  const process =
    first >= 0 ? first : syscall('pidfd_open', [thread, PIDFD_THREAD], 'looking for the process of a call');
  try {
    return syscall('pidfd_getfd', [process, fd, 0], 'taking a descriptor of a process');
  } finally {
    closeSync(process);
  }
}
