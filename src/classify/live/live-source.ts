/** The live run of a table that programs read. */
import type { RunTable } from '../run-table.ts';
import { createLiveRun, type LiveRun } from './live-run.ts';

/** The live run of `table`; its region begins as the table's. */
export function liveRunOf({ shape, rows, payload, parts }: RunTable): LiveRun {
  const taken = new Set(parts.map(({ place }) => place));
  const { layout, guards } = shape;
  // A rule with code of its own comes back behind its row, whose order it reads: that row may neither move nor lose its order.
  const known = shape.actions.some(({ kind }) => kind === 'entry' || kind === 'shared');
  return createLiveRun({
    rows,
    parts,
    spare: shape.places.map((_, place) => place).filter((place) => !taken.has(place)),
    guards,
    layout,
    limits: { levels: shape.maxDepth, leafSlots: shape.maxLeafSlots },
    passesOver: !known,
    rowsStay: known,
    counter: (row) => payload.counter[row]!,
    action: (row) => payload.action[row]!,
  });
}
