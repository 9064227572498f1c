/** What a change of a live run asks for and what it answers. */
import type { Box } from './live-rows.ts';

/** A rule as a look-up sees it. */
export interface LiveRule {
  /** The packets it is about: any of these boxes. */
  readonly boxes: readonly Box[];
  /** Packets that one of the run's guards drops right before the rule; guards have places of their own. */
  readonly guards?: readonly { readonly guard: number; readonly boxes: readonly Box[] }[];
  /** Nothing behind it is asked any more once it matched. */
  readonly final: boolean;
  /** What the payload says of its rows; of the guards' rows it says ACTIONS.hotdrop. */
  readonly counter: number;
  readonly action: number;
}

export type Edit =
  /** Before another rule, or at the end. */
  | { readonly kind: 'insert'; readonly rule: LiveRule; readonly before?: number }
  | { readonly kind: 'remove'; readonly id: number }
  /** The rule keeps its id and its place. */
  | { readonly kind: 'replace'; readonly id: number; readonly rule: LiveRule };

/** Bytes to be written at an offset of the region. They are a view: write them before the next change is asked for. */
export interface Write {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** One aligned u32 store. */
export interface Commit {
  readonly offset: number;
  readonly value: number;
}

export interface Change {
  readonly kind: 'change';
  /** Changes are applied in the order of their numbers. */
  readonly number: number;
  /** Ids of the rules that were inserted, in the order of the edits. */
  readonly ids: readonly number[];
  /** Wait for a grace period after the change before this one, and release that, before anything is written. */
  readonly mustWait: boolean;
  /** Memory that no reader knows, in any order. */
  readonly writes: readonly Write[];
  /** Written last, with one store: before it every reader finds the old list, behind it the new one. */
  readonly commit: Commit;
}

/** The change is not possible in this memory. */
export interface Refusal {
  readonly kind: 'full';
  /**
   * `waiting`: nothing was done; try again when earlier changes have been released. Otherwise the region stays as it is in memory, and takes no further
   * change: the run has to be built anew. `memory`, `rows`: in a larger region. `shape`: the program walks no
   * further, or has no place for another part. `order`: too many rules between the same two.
   */
  readonly why: 'waiting' | 'memory' | 'rows' | 'shape' | 'order';
}

export type Outcome = Change | Refusal;
