/** Trees of a look-up built anew while the process goes on: on a thread of their own. */
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { buildParts } from '../../classify/classifier.ts';
import { encodeRecords } from '../../classify/lanes.ts';
import type { BuiltTree, Room } from '../../classify/live/adoption.ts';
import { type RowsCopy, takeSnapshot } from '../../classify/live/compaction.ts';
import { placeTree } from '../../classify/live/place-tree.ts';
import type { Part } from '../../classify/part.ts';

/** Builds once. Owns the thread; close() ends it at any time. */
export interface TreeBuilder {
  build(rows: RowsCopy): Promise<BuiltTrees>;
  /** What stands in the pieces of the trees' rooms. */
  place(rooms: readonly Room[]): Promise<readonly (readonly Uint32Array[])[]>;
  close(): void;
}

export interface BuiltTrees {
  readonly trees: readonly BuiltTree[];
  /** Which row of the run each row of theirs is. */
  readonly ids: Uint32Array;
}

/** What the thread is asked for: rows first, then the places. */
export type TreeRequest = { readonly rows: RowsCopy } | { readonly rooms: readonly Room[] };

/** The work itself, on whichever thread. */
export interface TreeWork {
  build(rows: RowsCopy): BuiltTrees;
  place(rooms: readonly Room[]): readonly (readonly Uint32Array<ArrayBuffer>[])[];
}

export function treeWork(): TreeWork {
  let parts: readonly Part[] = [];
  let ids = new Uint32Array();
  let stride = 0;
  return {
    build(copy) {
      const taken = takeSnapshot(copy);
      const { rows } = taken;
      const all = Uint32Array.from({ length: rows.count }, (_, row) => row);
      const records = encodeRecords(rows);
      stride = records.stride;
      parts = buildParts(rows, records, all, 'trees', copy.mostSlots);
      ids = Uint32Array.from(taken.ids);
      const trees = parts.map(({ list, slots, depth, longestLeaf }) => ({ list, slots, depth, longestLeaf }));
      return { trees, ids };
    },
    place: (rooms) => parts.map(({ words }, i) => placeTree(words, rooms[i]!, ids, stride)),
  };
}

/** What the thread runs, beside this file or, where this one is part of a larger file, in the folder that it was compiled to. */
const PLACES = ['./tree-thread.js', '../firewall/live/tree-thread.js'] as const;

/** On a thread of its own, if there is a compiled file for it: a program that runs from its sources has none, and works on its own thread. */
export function openTreeBuilder(): TreeBuilder {
  const file = PLACES.map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url));
  return file === undefined ? ownThread() : otherThread(file);
}

function ownThread(): TreeBuilder {
  const work = treeWork();
  const later = <T>(done: () => T): Promise<T> =>
    new Promise((resolve) => {
      setImmediate(() => resolve(done()));
    });
  return {
    build: (rows) => later(() => work.build(rows)),
    place: (rooms) => later(() => work.place(rooms)),
    close() {},
  };
}

function otherThread(file: URL): TreeBuilder {
  const worker = new Worker(file);
  // A process that has nothing else to do may end.
  worker.unref();
  let failure: Error | undefined;
  let waiting: { readonly resolve: (answer: unknown) => void; readonly reject: (error: Error) => void } | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    waiting?.reject(failure);
    waiting = undefined;
  };
  worker.on('error', fail).on('exit', () => fail(new Error('the thread has ended')));
  worker.on('message', (answer: unknown) => {
    waiting?.resolve(answer);
    waiting = undefined;
  });
  worker.unref();
  const ask = <T>(request: TreeRequest, memory: ArrayBuffer[]): Promise<T> =>
    new Promise((resolve, reject) => {
      if (failure !== undefined) {
        reject(failure);
        return;
      }
      waiting = { resolve: (answer) => resolve(answer as T), reject };
      worker.postMessage(request, memory);
    });
  return {
    build: (rows) => ask({ rows }, transferable(rows)),
    place: (rooms) => ask({ rooms }, []),
    close() {
      void worker.terminate();
    },
  };
}

function transferable({ lo, hi, entry, order, final, inTree }: RowsCopy): ArrayBuffer[] {
  return [...lo, ...hi, entry, order, final, inTree].map(({ buffer }) => buffer as ArrayBuffer);
}
