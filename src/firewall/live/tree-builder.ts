/** Trees of a look-up built anew while the process goes on: on a thread of their own. */
import { Worker } from 'node:worker_threads';
import { buildClassifier } from '../../classify/classifier.ts';
import type { BuiltTree } from '../../classify/live/adoption.ts';
import { placeTree, type RowsCopy, takeSnapshot } from '../../classify/live/compaction.ts';

/** Builds once. Owns the thread; close() ends it at any time. */
export interface TreeBuilder {
  build(rows: RowsCopy): Promise<BuiltTrees>;
  /** The slots of the trees for these places in the heap. */
  place(bases: readonly number[]): Promise<readonly Uint32Array[]>;
  close(): void;
}

export interface BuiltTrees {
  readonly trees: readonly BuiltTree[];
  /** Which row of the run each row of theirs is. */
  readonly ids: Uint32Array;
}

/** What the thread is asked for: rows first, then the places. */
export type TreeRequest = { readonly rows: RowsCopy } | { readonly bases: readonly number[] };

/** The work itself, on whichever thread. */
export interface TreeWork {
  build(rows: RowsCopy): BuiltTrees;
  place(bases: readonly number[]): readonly Uint32Array<ArrayBuffer>[];
}

export function treeWork(): TreeWork {
  let parts: ReturnType<typeof buildClassifier>['parts'] = [];
  let ids = new Uint32Array();
  return {
    build(copy) {
      const taken = takeSnapshot(copy);
      parts = buildClassifier(taken.rows, 'trees').parts;
      ids = Uint32Array.from(taken.ids);
      const trees = parts.map(({ list, slots, depth, longestLeaf }) => ({ list, slots, depth, longestLeaf }));
      return { trees, ids };
    },
    place: (bases) => parts.map(({ words, slots }, i) => placeTree(words, slots, bases[i]!, ids)),
  };
}

/** The compiled file; a program that runs from its sources has none, and works on its own thread. */
const FILE = import.meta.url.endsWith('.js') ? new URL('./tree-thread.js', import.meta.url) : undefined;

export function openTreeBuilder(): TreeBuilder {
  return FILE === undefined ? ownThread() : otherThread(FILE);
}

function ownThread(): TreeBuilder {
  const work = treeWork();
  const later = <T>(done: () => T): Promise<T> =>
    new Promise((resolve) => {
      setImmediate(() => resolve(done()));
    });
  return {
    build: (rows) => later(() => work.build(rows)),
    place: (bases) => later(() => work.place(bases)),
    close() {},
  };
}

function otherThread(file: URL): TreeBuilder {
  const worker = new Worker(file);
  // A process that has nothing else to do may end.
  worker.unref();
  const ask = <T>(request: TreeRequest): Promise<T> =>
    new Promise((resolve, reject) => {
      const settle = (): void => {
        worker.off('message', answered);
        worker.off('error', failed);
        worker.off('exit', ended);
      };
      const answered = (answer: T): void => {
        settle();
        resolve(answer);
      };
      const failed = (error: Error): void => {
        settle();
        reject(error);
      };
      const ended = (): void => failed(new Error('the thread has ended'));
      worker.on('message', answered).on('error', failed).on('exit', ended);
      worker.unref();
      worker.postMessage(request, 'rows' in request ? transferable(request.rows) : []);
    });
  return {
    build: (rows) => ask<BuiltTrees>({ rows }),
    place: (bases) => ask<readonly Uint32Array[]>({ bases }),
    close() {
      void worker.terminate();
    },
  };
}

function transferable({ lo, hi, entry, order, final, inTree }: RowsCopy): ArrayBuffer[] {
  return [...lo, ...hi, entry, order, final, inTree].map(({ buffer }) => buffer as ArrayBuffer);
}
