/**
 * The tables of one network namespace for a process that works on them: reading with counters and a revision, replacing them, changing
 * single rules. Everything that changes rules on behalf of others (the programs of the iptables family, the daemon) stands on this.
 *
 * **Identity.** The rules of a read are the same objects as before, as long as they are the same rules in force. In what is given back, a rule
 * whose `counters` object comes from a read of this session goes on to count, whatever it counted meanwhile; any other starts from its `counters`.
 * So take a table apart and put it together again from the same Rule objects, and only what is new or gone changes. The same holds for the
 * counters of policies.
 *
 * **Revisions.** A read has a revision; a change that names one fails with StaleRevision, and nothing happens, when others have changed the
 * family since. Without one it is made on what is in force at the time. Tables that the kernel runs itself (nat) have no revision.
 *
 * **Speed.** Rules that come and go in one chain are changed in memory where live/in-place.ts can (`keep: true`); everything else takes a new
 * generation. Whoever calls sees no other difference. All functions are synchronous, and throw with the old rules in force.
 */

import { SyscallError } from '../kernel/errno.ts';
import { namespaceIdentity } from '../kernel/namespace.ts';
import type { Family } from '../packet/netfilter.ts';
import type { Ruleset } from '../rules/model.ts';
import { withKernelTables } from './kernel-placed.ts';
import { type FamilyView, openFamilyView, viewOfPlan } from './live/family-view.ts';
import { diffRules } from './live/rule-diff.ts';
import { type WarmFamily, warmFamily } from './live/warm.ts';
import { putIntoForce } from './put-into-force.ts';
import { alone, type Session, withExclusiveSession, withSession } from './session.ts';

export interface TablesOptions {
  /** Name, path or process id of the network namespace; absent: the current one. */
  readonly netns?: string | undefined;
  /** Keep what is needed to change rules in memory: for processes that stay. */
  readonly keep: boolean;
}

/** What is in force of a family. */
export interface TablesRead {
  readonly revision: string;
  /** `rules`: counters are what counting started from, and cheap. Tables of the kernel are as the kernel tells them. */
  readonly ruleset: Ruleset;
  /** The same rules with the counters of now. */
  live(): Ruleset;
}

export interface TablesOutcome {
  /** `none`: nothing was to be done. `memory`: no program was loaded. */
  readonly how: 'none' | 'memory' | 'generation';
  readonly warnings: readonly string[];
}

/** Somebody else has changed the family since the revision that was named. Nothing has happened. */
export class StaleRevision extends Error {
  override readonly name = 'StaleRevision';
}

/** Owns mapped memory; close() leaves the rules in force. */
export interface TablesSession {
  /** What is in force; undefined: no rules of this family. Needs no lock. */
  read(family: Family): TablesRead | undefined;
  /**
   * Puts `ruleset` into force, all tables of its family at once. `revision`: only if this is what it was made from; null: only if nothing was in force.
   * @throws StaleRevision; FirewallError `denied` when others have held the lock for `waitSeconds`
   */
  replace(ruleset: Ruleset, revision: string | null | undefined, waitSeconds: number): TablesOutcome;
  /**
   * Reads, lets `work` make another rule set of it, and puts that into force; nobody changes the family meanwhile. No `ruleset` in what `work`
   * returns: nothing changes. `begin` is called once, right before the first step that changes anything.
   */
  transact<T extends { readonly ruleset?: Ruleset | undefined }>(
    family: Family,
    waitSeconds: number,
    work: (now: TablesRead | undefined) => T,
    begin?: () => void,
  ): { readonly result: T; readonly outcome: TablesOutcome };
  /** Whether rules of the family were in force when they were looked at last, and are kept warm. */
  holds(family: Family): boolean;
  /** Gets ready to change rules in memory, where that has not been done yet: for idle moments. */
  prepare(): void;
  /** Whether many changes have made a look-up longer than it need be, and putting them in order again: for idle moments. */
  readonly compactionAdvised: boolean;
  compact(): void;
  /** Resolves when what the changes so far have replaced has been given back. */
  idle(): Promise<void>;
  close(): void;
}

/** Opens the tables of a namespace. Nothing is read before it is asked for. */
export function openTablesSession({ netns, keep }: TablesOptions): TablesSession {
  const views = new Map<Family, FamilyView>();
  const warms = new Map<Family, WarmFamily>();
  /** What is in force but not kept warm yet: that takes an object for each rule. */
  const ready = new Map<Family, () => WarmFamily | undefined>();
  let entered: { readonly session: Session; readonly identity: string } | undefined;

  const forget = (family: Family): void => {
    views.get(family)?.close();
    views.delete(family);
    warms.get(family)?.close();
    warms.delete(family);
    ready.delete(family);
  };
  const warmOf = (family: Family): WarmFamily | undefined => {
    const open = ready.get(family);
    ready.delete(family);
    try {
      const warm = open?.();
      if (warm !== undefined) warms.set(family, warm);
    } catch (error) {
      // Another generation is in force.
      if (!(error instanceof SyscallError)) throw error;
    }
    return warms.get(family);
  };
  const remember = (session: Session): void => {
    entered = { session, identity: namespaceIdentity(netns) };
  };
  /** The session that was open before, if the name still means the same namespace: entering one takes longer than a change. */
  const again = (): Session | undefined =>
    entered !== undefined && entered.identity === namespaceIdentity(netns) ? entered.session : undefined;

  const viewOf = (session: Session, family: Family): FamilyView | undefined => {
    const old = views.get(family);
    if (old?.isCurrent(session.layout) === true) return old;
    forget(family);
    const view = openFamilyView(session.layout, family);
    if (view !== undefined) views.set(family, view);
    return view;
  };

  /** Call it in the namespace where `view` has tables of the kernel. */
  const readOf = (view: FamilyView): TablesRead => {
    const { ruleset } = withKernelTables(view.ruleset, view.state);
    const { revision } = view;
    return { revision, ruleset, live: () => view.live(ruleset) };
  };

  const inKernel = (view: FamilyView): boolean => view.state.tables.some(({ placement }) => placement === 'kernel');

  const changeInMemory = (
    family: Family,
    view: FamilyView,
    old: Ruleset,
    next: Ruleset,
    begin: () => void,
  ): boolean => {
    const edits = warms.has(family) || ready.has(family) ? diffRules(old, next) : undefined;
    const [first] = edits ?? [];
    // A rule that moves goes on to count, which takes a new generation.
    if (edits?.some((edit) => edit.kind !== 'delete' && view.isRunning(edit.rule.counters)) === true) return false;
    const warm = first === undefined ? undefined : warmOf(family);
    if (warm === undefined || edits === undefined || first === undefined) return false;
    begin();
    if (!warm.change(edits)) return false;
    view.adopt(warm.tables.get(first.table)!, first.chain);
    return true;
  };

  const install = (session: Session, view: FamilyView | undefined, next: Ruleset): TablesOutcome => {
    const { family } = next;
    const { ruleset, settle } = view?.continued(next) ?? { ruleset: next, settle: () => {} };
    const { plan, generation, warnings } = putIntoForce(session, ruleset, settle);
    forget(family);
    if (keep) {
      const state = { madeBy: generation, ...plan.state };
      views.set(family, viewOfPlan(session.layout, generation, plan.ruleset, state));
      ready.set(family, () => warmFamily(session.layout, generation, plan));
    }
    return { how: 'generation', warnings };
  };

  const read = (family: Family): TablesRead | undefined => {
    const session = again();
    const known = session === undefined ? undefined : views.get(family);
    if (session !== undefined && known?.isCurrent(session.layout) === true && !inKernel(known)) return readOf(known);
    return withSession(netns, (opened) => {
      remember(opened);
      const view = viewOf(opened, family);
      return view === undefined ? undefined : readOf(view);
    });
  };

  const transact: TablesSession['transact'] = (family, waitSeconds, work, begin = () => {}) => {
    /** Undefined: it takes a new generation. */
    type Done = { readonly result: ReturnType<typeof work>; readonly outcome: TablesOutcome };
    let begun = false;
    const once = (): void => {
      if (!begun) begin();
      begun = true;
    };
    const attempt = (session: Session, view: FamilyView | undefined, mayInstall: boolean): Done | undefined => {
      const now = view === undefined ? undefined : readOf(view);
      const result = work(now);
      const next = result.ruleset;
      if (next === undefined) return { result, outcome: { how: 'none', warnings: [] } };
      if (view !== undefined && now !== undefined && changeInMemory(family, view, now.ruleset, next, once))
        return { result, outcome: { how: 'memory', warnings: [] } };
      if (!mayInstall) return undefined;
      once();
      return { result, outcome: install(session, view, next) };
    };
    const session = again();
    const view = views.get(family);
    const warm = warms.has(family) || ready.has(family);
    if (session !== undefined && warm && view !== undefined && !inKernel(view)) {
      const done = alone(session, waitSeconds, () =>
        view.isCurrent(session.layout) ? attempt(session, view, false) : undefined,
      );
      if (done !== undefined) return done;
    }
    return withExclusiveSession(netns, waitSeconds, (opened) => {
      remember(opened);
      return attempt(opened, viewOf(opened, family), true)!;
    });
  };

  const replace: TablesSession['replace'] = (ruleset, revision, waitSeconds) =>
    transact(ruleset.family, waitSeconds, (now) => {
      if (revision !== undefined && (now?.revision ?? null) !== revision)
        throw new StaleRevision('the rules have been changed since they were read');
      return { ruleset };
    }).outcome;

  return {
    read,
    replace,
    transact,
    holds: (family) => views.has(family),
    prepare() {
      for (const family of [...ready.keys()]) warmOf(family);
    },
    get compactionAdvised() {
      return [...warms.values()].some((warm) => warm.compactionAdvised);
    },
    compact() {
      for (const warm of warms.values()) warm.compact();
    },
    async idle() {
      for (const warm of warms.values()) await warm.idle();
    },
    close() {
      for (const family of [...views.keys()]) forget(family);
    },
  };
}
