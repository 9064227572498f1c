/** A family whose rules a process can change in memory: what it loaded itself and what it has changed since. */

import { COUNTER_BYTES } from '../../codegen/netfilter/counters.ts';
import { gracePeriod, waitForGracePeriod } from '../../kernel/grace-period.ts';
import { formatCounters } from '../../languages/iptables/counters.ts';
import { ruleWords } from '../../languages/iptables/print-rule.ts';
import type { TableName } from '../../packet/netfilter.ts';
import type { Layout } from '../layout.ts';
import type { FamilyPlan } from '../plan.ts';
import { readGeneration } from '../store.ts';
import { backgroundCompaction } from './background-compaction.ts';
import { type InPlace, planInPlace, type RuleEdit } from './in-place.ts';
import type { JournalEdit, JournalEntry } from './journal.ts';
import { journalIdOf, type LiveMemory, openLiveMemory } from './live-memory.ts';
import { type LiveSegment, type LiveTable, liveTables } from './live-table.ts';

/** Owns the mapped memory. */
export interface WarmFamily {
  /** Whether nobody else has changed the family. Call it alone. */
  isCurrent(layout: Layout): boolean;
  /** The same for a caller that knows that no other generation is in force. */
  readonly untouched: boolean;
  /** Makes the change, all of it at once; false: it takes a new generation, and nothing has changed. Call it alone. */
  change(edits: readonly RuleEdit[]): boolean;
  readonly tables: ReadonlyMap<TableName, LiveTable>;
  /** Whether changes have made some look-up longer than it need be. It is built anew without being asked. */
  readonly compactionAdvised: boolean;
  /** How often that has been done. */
  readonly compactions: number;
  /** Builds the trees of the look-ups that have changed anew, in the background (background-compaction.ts). */
  compact(): void;
  /** Resolves when that is done, and what the changes so far have replaced may be used again. */
  idle(): Promise<void>;
  close(): void;
}

/** Of a plan that has just gone into force as this generation. Undefined: none of its tables has a look-up, or programs on devices have copies of them. @throws SyscallError */
export function warmFamily(layout: Layout, generation: number, plan: FamilyPlan): WarmFamily | undefined {
  const { family, state } = plan;
  if (plan.early !== undefined) return undefined;
  const tables = liveTables(plan.ruleset, { ...state, madeBy: generation }, plan.lookups);
  const segments = [...tables.values()].flatMap(({ chains }) => [...chains.values()].flatMap((one) => one.segments));
  if (segments.length === 0) return undefined;
  const memory = openLiveMemory(
    layout,
    generation,
    family,
    segments.map(({ map }) => map),
    state,
  );
  const used = plan.compiled.counters.reduce((sum, { count }) => sum + count, 0);
  const room = state.counterStride / COUNTER_BYTES - used;
  return createWarm({
    plan,
    tables,
    memory,
    spare: Array.from({ length: room }, (_, index) => used + room - 1 - index),
  });
}

interface WarmInput {
  readonly plan: FamilyPlan;
  readonly tables: ReadonlyMap<TableName, LiveTable>;
  readonly memory: LiveMemory;
  readonly spare: number[];
}

function createWarm({ plan: { family }, tables, memory, spare }: WarmInput): WarmFamily {
  const { journal } = memory;
  let revision = journal.revision;
  /** What packets under way may still use: the latest change of each run, and counters of rules that are gone. */
  let changed = new Map<LiveSegment, number>();
  let retired: number[] = [];
  let waiting: Promise<void> | undefined;
  /** Gives back what the grace period that is waited for covers. */
  let covered = (): void => {};

  /** Takes what is in use for the moment; the answer gives it back, once a grace period has gone by. */
  const collect = (): (() => void) => {
    const [runs, counters] = [changed, retired];
    changed = new Map();
    retired = [];
    let given = false;
    return () => {
      if (given) return;
      given = true;
      for (const [segment, number] of runs) segment.run.release(number, true);
      spare.push(...counters);
    };
  };
  const waitNow = (): void => {
    const release = collect();
    waitForGracePeriod();
    covered();
    release();
  };
  const releaseLater = (): void => {
    if (waiting !== undefined || (changed.size === 0 && retired.length === 0)) return;
    covered = collect();
    waiting = gracePeriod().then(() => {
      waiting = undefined;
      covered();
      releaseLater();
    });
  };

  const change = (edits: readonly RuleEdit[]): boolean => {
    const [first] = edits;
    const table = first === undefined ? undefined : tables.get(first.table);
    if (table === undefined || edits.some((edit) => edit.table !== table.name)) return false;
    const taken: number[] = [];
    const planned = planInPlace(table, edits, () => {
      const counter = spare.pop();
      if (counter !== undefined) taken.push(counter);
      return counter ?? -1;
    });
    const done = planned !== undefined && perform(table, planned, edits);
    if (!done) spare.push(...taken);
    else releaseUnused(planned, taken);
    return done;
  };

  /** Counters of rules that came and went within one change. */
  const releaseUnused = ({ added }: InPlace, taken: readonly number[]): void => {
    for (const counter of taken) if (!added.some((slot) => slot.counter === counter)) spare.push(counter);
  };

  const perform = (table: LiveTable, planned: InPlace, edits: readonly RuleEdit[]): boolean => {
    const { chain, segment, added } = planned;
    const entry = entryOf(table, planned, edits);
    if (!journal.fits(JSON.stringify(entry).length + STORE_CHARACTERS)) return false;
    if (planned.edits.length === 0) {
      for (const slot of added) memory.zero(slot.counter);
      journal.write(entry);
    } else {
      let outcome = segment.run.change(planned.edits);
      if (outcome.kind === 'full' && outcome.why === 'waiting') {
        waitNow();
        outcome = segment.run.change(planned.edits);
      }
      if (outcome.kind === 'full') return false;
      if (outcome.mustWait) waitNow();
      for (const slot of added) memory.zero(slot.counter);
      journal.write({ ...entry, store: { map: segment.map, ...outcome.commit } });
      memory.region(segment.map).apply(outcome);
      const { ids } = outcome;
      for (const [index, slot] of planned.withRows.entries()) slot.id = ids[index]!;
      changed.set(segment, outcome.number);
      compaction.changed(segment);
    }
    journal.seal();
    revision = journal.revision;
    retired.push(...planned.gone.map(({ counter }) => counter));
    chain.rules = planned.rules;
    table.trackers = planned.trackers;
    for (const other of chain.segments) {
      if (other.from > segment.from) other.from += planned.longer;
      if (other.from > segment.from || other === segment) other.to += planned.longer;
    }
    releaseLater();
    return true;
  };

  const compaction = backgroundCompaction({
    grace: async () => {
      await waiting;
    },
    write: ({ map }, offset, bytes) => memory.region(map).bytes.set(bytes, offset),
    // What the rules are does not change, so the journal has nothing of it.
    perform(segment, outcome) {
      if (outcome.mustWait) waitNow();
      memory.region(segment.map).apply(outcome);
      changed.set(segment, outcome.number);
      releaseLater();
    },
  });

  return {
    tables,
    get compactionAdvised() {
      return compaction.advised;
    },
    get compactions() {
      return compaction.count;
    },
    compact: () => compaction.start(),
    get untouched() {
      return journal.revision === revision;
    },
    isCurrent: (layout) =>
      journal.revision === revision && journalIdOf(layout, readGeneration(layout), family) === memory.journalId,
    change,
    async idle() {
      await compaction.done();
      while (waiting !== undefined) await waiting;
    },
    close() {
      compaction.close();
      memory.close();
    },
  };
}

/** What the store adds to an entry at most. */
const STORE_CHARACTERS = 120;

function entryOf({ family, name }: LiveTable, { chain, counters }: InPlace, edits: readonly RuleEdit[]): JournalEntry {
  const journalEdits = edits.map((edit, index): JournalEdit => {
    const { kind, at } = edit;
    if (kind === 'delete') return { kind, at };
    const line = `${formatCounters(edit.rule.counters)} -A ${chain.name}${ruleWords(edit.rule, family, name)}`;
    return { kind, at, line, counter: counters[index]! };
  });
  return { table: name, chain: chain.name, edits: journalEdits };
}
