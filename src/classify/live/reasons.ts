/** Why a change is not possible, as it is found out. */
import type { Refusal } from './change.ts';
import { HeapFull } from './heap.ts';
import { ShapeExceeded } from './tree.ts';

/** No id is left for a row. */
export class RowsFull extends Error {}
/** Too many rules stand between the same two. */
export class OrderFull extends Error {}

/** What to answer. @throws what is none of these */
export function reasonOf(error: unknown): Refusal['why'] {
  if (error instanceof HeapFull) return 'memory';
  if (error instanceof RowsFull) return 'rows';
  if (error instanceof OrderFull) return 'order';
  if (error instanceof ShapeExceeded) return 'shape';
  throw error;
}
