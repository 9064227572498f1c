/**
 * What a program knows of a run: everything that is in its code and not in the region (image.ts). As long as a change of rules keeps the
 * shape, it is a change of memory; another shape takes another program.
 */
import type { Action, Condition, Expr, PolicyRule } from '../policy/ir.ts';
import type { Dimension } from './dimension.ts';
import type { HashSpec } from './hash.ts';
import { PART_PLACES, type RegionLayout } from './image.ts';
import type { LanePlan } from './lanes.ts';

/** What happens when a row is the answer. Its number is what the payload says. */
export type RunAction =
  /** Drop without counting: a guard. */
  | { readonly kind: 'hotdrop' }
  /** Count, then this; `continue` looks on behind the row. Never jump or log: they come back to their own place. */
  | { readonly kind: 'act'; readonly action: Action }
  /** Conditions that are left and the action, for all rules in which they differ by nothing but what the row's parameter says (shared-code.ts). */
  | { readonly kind: 'shared'; readonly rule: PolicyRule; readonly conditions: readonly Condition[] }
  /** Conditions that are left, then the rule's action: code of its own. `entry` counts from the run's first rule. */
  | { readonly kind: 'entry'; readonly entry: number; readonly row: number; readonly conditions: readonly Condition[] };

/** Numbers of the actions that every run has. */
export const ACTIONS = { hotdrop: 0, accept: 1, drop: 2 } as const;

/** Places of parts: tree or hash, and for whom. */
export interface ShapePlace {
  /** The look-up begins at the slot that the hash names; at slot 0 without one. */
  readonly hash?: HashSpec;
  /** All rows in one leaf, one behind the other: a look-up that goes on begins where it was (ordered.ts). */
  readonly ordered?: boolean;
}

export interface RunGuard {
  /** Packets for which this holds are dropped where a row of the guard's places has the first order. */
  readonly hotdrop: Expr;
  /** Places from..to). */
  readonly from: number;
  readonly to: number;
}

export interface RunShape {
  readonly dimensions: readonly Dimension[];
  readonly plan: LanePlan;
  readonly layout: RegionLayout;
  /** Places 0.. of the rules' rows. Spare ones are trees, empty at first. */
  readonly places: readonly ShapePlace[];
  readonly guards: readonly RunGuard[];
  /** No packet outside of this is dropped by a guard. */
  readonly broken: Expr;
  readonly actions: readonly RunAction[];
  /** Inner slots on a path at most, and slots of a leaf. */
  readonly maxDepth: number;
  readonly maxLeafSlots: number;
}

/** Places beside those in use at first, for parts that come later. */
export const SPARE_PLACES = 2;
/** Room for guards' parts behind the others'. */
export const MAX_GUARDS = 6;
export const GUARD_PLACES = 2;
/** Parts of rules at most. */
export const MAX_RULE_PARTS = PART_PLACES - SPARE_PLACES - MAX_GUARDS * (GUARD_PLACES + 2);
