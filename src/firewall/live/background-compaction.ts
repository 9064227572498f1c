/**
 * Keeps look-ups fast that change again and again, without anybody asking: when enough has changed, their trees are built anew on another
 * thread, written to free memory bit by bit, and put into force with one store. Changes go on meanwhile; rules, counters and journal
 * know nothing of it, so a kill at any instant leaves what was in force.
 */
import type { Room } from '../../classify/live/adoption.ts';
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
/** Rows that are brought into new trees, and slots of old trees that are given back, before others have their turn. */
const CATCH_UP = 2;
const SWEEP = 8192;
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
  const giveUp = (segment: LiveSegment, rooms: readonly Room[] = []): void => {
    segment.run.abandon(rooms);
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
    const rooms = run.reserve(trees);
    if ('kind' in rooms) return giveUp(segment);
    const contents = await builder.place(rooms).catch(() => undefined);
    if (contents === undefined) return giveUp(segment, rooms);
    for (const [i, room] of rooms.entries()) {
      for (const [p, { first }] of room.entries()) {
        const words = contents[i]![p]!;
        for (let at = 0; at < words.length; at += SLICE / 4) {
          if (closed) return;
          const { offset, bytes } = run.fill(first + at / SLOT_WORDS, words.subarray(at, at + SLICE / 4));
          host.write(segment, offset, bytes);
          if (bytes.length === SLICE) await turn();
        }
      }
    }
    await host.grace();
    if (closed) return;
    const used = contents.map((pieces) => pieces.map((words) => words.length / SLOT_WORDS));
    run.begin(trees, rooms, used, ids);
    for (let left = true; left; ) {
      const brought = run.catchUp(CATCH_UP);
      // Trees that changes do not fit into.
      if ('kind' in brought) return giveUp(segment);
      for (const { offset, bytes } of brought.writes) host.write(segment, offset, bytes);
      left = brought.left;
      await turn();
      if (closed) return;
    }
    const outcome = run.adopt();
    if (outcome.kind !== 'change') return;
    host.perform(segment, outcome);
    count++;
    await host.grace();
    while (!closed && !run.sweep(SWEEP)) await turn();
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
      // What works in the background keeps no process from ending; whoever waits for it does.
      const here = setInterval(() => {}, 1000);
      while (under !== undefined) await under;
      clearInterval(here);
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
