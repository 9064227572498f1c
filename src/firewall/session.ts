/** Working on the firewall of one network namespace: entering it, finding its pins, keeping others out. */

import { mkdirSync } from 'node:fs';
import { bpffsRoot } from '../kernel/bpffs.ts';
import { LockTimeoutError, withLock } from '../kernel/lock.ts';
import { namespaceCookie, withNamespace } from '../kernel/namespace.ts';
import { BusyError } from './failure.ts';
import { type Layout, layoutOf } from './layout.ts';

const RUN_DIRECTORY = '/run/bpfilter';

export interface Session {
  readonly layout: Layout;
  readonly cookie: bigint;
}

/** Runs `fn` (synchronous) in a network namespace; undefined: the current one. */
export function withSession<T>(netns: string | undefined, fn: (session: Session) => T): T {
  return withNamespace(netns, () => {
    const cookie = namespaceCookie();
    return fn({ cookie, layout: layoutOf(bpffsRoot(), cookie) });
  });
}

/**
 * The same, alone: whoever else wants to change this namespace waits or gives up. Reading needs no lock: what is in force
 * is replaced, and where it changes in memory, its journal tells (live/steady.ts).
 */
export function withExclusiveSession<T>(
  netns: string | undefined,
  waitSeconds: number,
  fn: (session: Session) => T,
): T {
  return withSession(netns, (session) => {
    mkdirSync(RUN_DIRECTORY, { recursive: true, mode: 0o700 });
    return alone(session, waitSeconds, () => fn(session));
  });
}

/** The file whose lock keeps others out of the namespace with that cookie. */
export function lockPath(cookie: bigint): string {
  return `${RUN_DIRECTORY}/${cookie}.lock`;
}

/** Runs `fn` alone, too, but where the calling thread is: for what needs nothing but the pins of a session that was open before. */
export function alone<T>({ cookie }: Pick<Session, 'cookie'>, waitSeconds: number, fn: () => T): T {
  try {
    return withLock(lockPath(cookie), waitSeconds * 1000, fn);
  } catch (error) {
    if (!(error instanceof LockTimeoutError)) throw error;
    throw new BusyError(
      `another bpfilter is changing this network namespace${waitSeconds > 0 ? ` (waited ${waitSeconds} s)` : ''}; -w SECONDS waits for it`,
    );
  }
}
