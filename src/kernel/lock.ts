/** An advisory lock on a file, so that two of us never change the same namespace at once. */

import { closeSync, openSync } from 'node:fs';
import { ERRNO, SyscallError } from './errno.ts';
import { trySyscall } from './syscall.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;
const RETRY_MS = 10;

export interface FileLock {
  release(): void;
}

/** Another process held the lock for the whole time we were ready to wait. */
export class LockTimeoutError extends Error {
  override readonly name: string = 'LockTimeoutError';
  readonly path: string;

  constructor(path: string, timeoutMs: number) {
    super(`${path} is locked by another process (waited ${timeoutMs} ms)`);
    this.path = path;
  }
}

/**
 * Locks `path` (created when it does not exist) with flock(2). The kernel releases it with the process, however that ends.
 * @throws LockTimeoutError after `timeoutMs`; the file system's error when the file cannot be opened.
 */
export function acquireLock(path: string, timeoutMs: number): FileLock {
  const fd = openSync(path, 'a', 0o600);
  try {
    lockDescriptor(fd, path, timeoutMs);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      closeSync(fd);
    },
  };
}

function lockDescriptor(fd: number, path: string, timeoutMs: number): void {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const result = trySyscall('flock', fd, LOCK_EX | LOCK_NB);
    if (result >= 0) return;
    const left = deadline - performance.now();
    const again = result === -ERRNO.EAGAIN.number || result === -ERRNO.EINTR.number;
    if (!again || left <= 0)
      throw again ? new LockTimeoutError(path, timeoutMs) : new SyscallError('flock', -result, path);
    sleep(Math.min(RETRY_MS, left));
  }
}

/** Runs `fn` under the lock. */
export function withLock<T>(path: string, timeoutMs: number, fn: () => T): T {
  const lock = acquireLock(path, timeoutMs);
  try {
    return fn();
  } finally {
    lock.release();
  }
}

/** Owns a file that is locked again and again: opening it takes longer than most of what is done under the lock. */
export interface OpenLock {
  /** Runs `fn` under the lock. @throws LockTimeoutError */
  hold<T>(timeoutMs: number, fn: () => T): T;
  close(): void;
}

/** The file must stay where it is. @throws the file system's error when it cannot be opened */
export function openLock(path: string): OpenLock {
  const fd = openSync(path, 'a', 0o600);
  return {
    hold(timeoutMs, fn) {
      lockDescriptor(fd, path, timeoutMs);
      try {
        return fn();
      } finally {
        trySyscall('flock', fd, LOCK_UN);
      }
    },
    close: () => closeSync(fd),
  };
}

/** Blocks the thread: nothing else may happen between the steps of a change. */
function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
