/** The tables of the network namespaces that the daemon has worked in lately, kept warm; a bounded number of them. */

import { closeSync, openSync } from 'node:fs';
import { BusyError } from '../firewall/failure.ts';
import { openTablesSession, type TablesSession } from '../firewall/tables-session.ts';
import { namespaceIdentity } from '../kernel/namespace.ts';
import { FAMILIES } from '../packet/netfilter.ts';

/** Each holds some kilobytes for each rule. */
const MOST = 8;
/** Nobody has asked for it for so long: what it keeps is given back. */
const IDLE_MS = 10 * 60_000;

interface Kept {
  readonly tables: TablesSession;
  readonly fd: number;
  users: number;
  usedAt: number;
}

export interface Namespaces {
  /** Runs `work` with the tables of the namespace that `path` leads to. */
  use<T>(path: string, work: (tables: TablesSession, netns: string) => Promise<T>): Promise<T>;
  /** Puts look-ups in order and gives back what nobody has used for long. For idle moments. */
  rest(now: number): void;
  close(): void;
}

export function openNamespaces(): Namespaces {
  const kept = new Map<string, Kept>();

  const drop = (identity: string, { tables, fd }: Kept): void => {
    kept.delete(identity);
    tables.close();
    closeSync(fd);
  };
  const open = (path: string, identity: string): Kept => {
    const fd = openSync(path, 'r');
    const one = { tables: openTablesSession({ netns: `/proc/self/fd/${fd}`, keep: true }), fd, users: 0, usedAt: 0 };
    kept.set(identity, one);
    return one;
  };
  const trim = (): void => {
    const idle = [...kept].filter(([, { users }]) => users === 0).sort(([, a], [, b]) => a.usedAt - b.usedAt);
    for (const [identity, one] of idle.slice(0, Math.max(0, kept.size - MOST))) drop(identity, one);
  };

  return {
    async use(path, work) {
      const identity = namespaceIdentity(path);
      const one = kept.get(identity) ?? open(path, identity);
      one.users++;
      try {
        return await work(one.tables, `/proc/self/fd/${one.fd}`);
      } finally {
        one.users--;
        one.usedAt = Date.now();
        // An open descriptor would keep a namespace that has nothing in force from going away.
        if (one.users === 0 && FAMILIES.every((family) => !one.tables.holds(family))) drop(identity, one);
        trim();
        setImmediate(() => {
          if (kept.get(identity) === one && one.users === 0) one.tables.prepare();
        });
      }
    },
    rest(now) {
      for (const [identity, one] of [...kept]) {
        if (one.users > 0) continue;
        if (now - one.usedAt > IDLE_MS) drop(identity, one);
        else if (one.tables.compactionAdvised) compact(one.tables);
      }
    },
    close() {
      for (const [identity, one] of [...kept]) drop(identity, one);
    },
  };
}

function compact(tables: TablesSession): void {
  try {
    tables.compact();
  } catch (error) {
    // Somebody is at work there; another time.
    if (!(error instanceof BusyError)) throw error;
  }
}
