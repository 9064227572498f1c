/**
 * Keeps look-ups fast that change again and again, without anybody asking: when enough has changed, their trees are built anew on another
 * thread, written to free memory bit by bit, and put into force with one store. Changes go on meanwhile; rules, counters and journal
 * know nothing of it, so a kill at any instant leaves what was in force.
 */
import type { BuiltTree } from '../../classify/live/adoption.ts';
import type { Change } from '../../classify/live/change.ts';
import { SLOT_WORDS } from '../../classify/slots.ts';
import type { LiveSegment } from './live-table.ts';
import { openTreeBuilder, type TreeBuilder } from './tree-builder.ts';

export interface CompactionHost {
  /** Resolves when what has been replaced until now has been given back. */
  grace(): Promise<void>;
  /** Writes to memory of the segment's look-up that no packet can see. */
  write(segment: LiveSegment, offset: number, bytes: Uint8Array): void;
  /** Puts the change into force. */
  perform(segment: LiveSegment, change: Change): void;
}

export interface BackgroundCompaction {
  /** A rule of the segment has changed. */
  changed(segment: LiveSegment): void;
  /** How often look-ups have been put in order. */
  readonly count: number;
  /** Whether there is something to do that has not begun. */
  readonly advised: boolean;
  /** Begins with whatever has changed, be it little. */
  start(): void;
  /** Resolves when nothing is under way. */
  done(): Promise<void>;
  close(): void;
}

/** So many changes are put in order anyway, at least, and this share of the rows. */
const MANY = { changes: 512, share: 1 / 16 } as const;
/** Bytes that are written before others have their turn. */
const SLICE = 1 << 20;
/** After trees that did not fit it is not tried again before so many more changes. */
const PATIENCE = 2000;

export function backgroundCompaction(host: CompactionHost): BackgroundCompaction {
  const changes = new Map<LiveSegment, number>();
  const asked = new Set<LiveSegment>();
  let under: Promise<void> | undefined;
  let closed = false;
  let count = 0;

  const due = (segment: LiveSegment): boolean => {
    const count = changes.get(segment) ?? 0;
    if (count <= 0) return false;
    return segment.run.compactionAdvised || count > Math.max(MANY.changes, segment.run.rows.count * MANY.share);
  };
  const begin = (): void => {
    if (under !== undefined || closed) return;
    const segment = [...changes.keys()].find((one) => asked.has(one) || due(one));
    if (segment === undefined) return;
    asked.delete(segment);
    changes.set(segment, 0);
    const builder = openTreeBuilder();
    under = compact(segment, builder).finally(() => {
      builder.close();
      under = undefined;
      begin();
    });
  };

  /** Look-ups stay as they are: right, and a little slower. */
  const giveUp = (segment: LiveSegment, trees: readonly BuiltTree[] = [], bases: readonly number[] = []): void => {
    segment.run.abandon(trees, bases);
    changes.set(segment, -PATIENCE);
  };

  const compact = async (segment: LiveSegment, builder: TreeBuilder): Promise<void> => {
    const { run } = segment;
    await turn();
    if (closed) return;
    // Without a thread, or memory for it, there is nothing.
    const built = await builder.build(run.copy()).catch(() => undefined);
    // Old and new trees have to fit beside each other.
    await host.grace();
    if (closed) return;
    if (built === undefined) return giveUp(segment);
    const { trees, ids } = built;
    const bases = run.reserve(trees);
    if ('kind' in bases) return giveUp(segment);
    const words = await builder.place(bases).catch(() => undefined);
    if (words === undefined) return giveUp(segment, trees, bases);
    for (const [i, tree] of words.entries()) {
      for (let at = 0; at < tree.length; at += SLICE / 4) {
        if (closed) return;
        const { offset, bytes } = run.fill(bases[i]! + at / SLOT_WORDS, tree.subarray(at, at + SLICE / 4));
        host.write(segment, offset, bytes);
        await turn();
      }
    }
    await host.grace();
    if (closed) return;
    const outcome = run.adopt(trees, bases, ids);
    if (outcome.kind !== 'change') return;
    host.perform(segment, outcome);
    count++;
  };

  return {
    changed(segment) {
      changes.set(segment, (changes.get(segment) ?? 0) + 1);
      begin();
    },
    get count() {
      return count;
    },
    get advised() {
      return [...changes.keys()].some(due);
    },
    start() {
      for (const [segment, count] of changes) if (count !== 0) asked.add(segment);
      begin();
    },
    async done() {
      while (under !== undefined) await under;
    },
    close() {
      closed = true;
    },
  };
}

/** Lets others have their turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve).unref();
  });
}
