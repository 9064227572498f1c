/** The thread of tree-builder.ts. */
import { parentPort } from 'node:worker_threads';
import { type TreeRequest, treeWork } from './tree-builder.ts';

const work = treeWork();

parentPort?.on('message', (request: TreeRequest) => {
  if ('rows' in request) {
    parentPort?.postMessage(work.build(request.rows));
    return;
  }
  const contents = work.place(request.rooms);
  parentPort?.postMessage(
    contents,
    contents.flat().map(({ buffer }) => buffer),
  );
});
