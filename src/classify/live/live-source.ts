/** The live run of a table that programs read. */
import type { RunTable } from '../run-table.ts';
import { createLiveRun, type LiveRun } from './live-run.ts';

/** The region of `table`, with its rows' orders numbered anew: load this one (`LiveRun.region`), not the table's. */
export function liveRunOf({ shape, rows, payload, parts }: RunTable): LiveRun {
  const taken = new Set(parts.map(({ place }) => place));
  const { layout, guards } = shape;
  return createLiveRun({
    rows,
    parts,
    spare: shape.places.map((_, place) => place).filter((place) => !taken.has(place)),
    guards,
    layout,
    limits: { levels: shape.maxDepth, leafSlots: shape.maxLeafSlots },
    passesOver: true,
    counter: (row) => payload.counter[row]!,
    action: (row) => payload.action[row]!,
  });
}
