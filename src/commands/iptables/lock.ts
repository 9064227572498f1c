/** The lock that all programs of the iptables family share: one of them at a time, in all namespaces. */

import { acquireLock, type FileLock } from '../../kernel/lock.ts';
import { STATUS, Stop } from '../../languages/iptables/command/stop.ts';

/** XT_LOCK_NAME */
const DEFAULT_PATH = '/run/xtables.lock';
/**
 * How long a program without -w waits, in seconds. Releases of iptables differ: 1.8.9 waits for ever, others do not wait at
 * all. This is long enough for what others do in a moment, and then says what is wrong.
 */
const PATIENCE = 5;

/** How often to look again, in milliseconds. */
const RETRY_MS = 10;

/** Takes the lock at `named` (empty: where it is by default). `wait`: seconds of -w, below zero without end, undefined without -w. @throws Stop with status 4 */
export async function takeXtablesLock(named: string, wait: number | undefined): Promise<FileLock> {
  const path = lockPath(named);
  const deadline = performance.now() + waitSeconds(wait) * 1000;
  for (;;) {
    try {
      return acquireLock(path, 0);
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'LockTimeoutError')
        throw new Stop(STATUS.resource, `Fatal: can't open lock file ${path}: ${describe(error)}\n`);
      if (performance.now() >= deadline) {
        const hint = wait === undefined ? 'Perhaps you want to use the -w option?' : `Stopped waiting after ${wait}s.`;
        throw new Stop(
          STATUS.resource,
          `Can't lock ${path}: Resource temporarily unavailable\nAnother app is currently holding the xtables lock. ${hint}\n`,
        );
      }
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** XTABLES_LOCKFILE, or where the lock is without it. */
export function lockPath(named: string): string {
  return named === '' ? DEFAULT_PATH : named;
}

/** How long -w says to wait, in seconds. */
export function waitSeconds(wait: number | undefined): number {
  return wait === undefined ? PATIENCE : wait <= 0 ? Number.POSITIVE_INFINITY : wait;
}

const TEXTS: Readonly<Record<string, string>> = {
  EACCES: 'Permission denied',
  EPERM: 'Operation not permitted',
  ENOENT: 'No such file or directory',
  ENOTDIR: 'Not a directory',
  EISDIR: 'Is a directory',
  EROFS: 'Read-only file system',
  ENOSPC: 'No space left on device',
};

/** What strerror(3) says of an error of the file system. */
export function describe(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  return TEXTS[code] ?? (error instanceof Error ? error.message : String(error));
}
