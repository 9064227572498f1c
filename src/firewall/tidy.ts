/**
 * Bringing the namespace to exactly what the generation in force needs: after a switch (the old generation goes), after a
 * failure (the new one goes), and before anything else (what a killed apply left goes).
 *
 * Nothing here can be seen by a packet: whatever is removed belongs to no generation that still runs.
 */

import { existsSync, rmSync } from 'node:fs';
import { waitForGracePeriod } from '../kernel/grace-period.ts';
import { openPinnedLink } from '../kernel/object.ts';
import { keepAsks } from './asks.ts';
import { keepBridges } from './bridge.ts';
import { keepConntrack } from './conntrack.ts';
import { conntrackOfDevices } from './device-conntrack.ts';
import { keepEarly, removeEarlyLinks } from './early-links.ts';
import { keepEffectPrograms } from './effect-bridge.ts';
import { applyUndo, settleKernelTables } from './kernel-placed.ts';
import { type HookPoint, type Layout, pointName } from './layout.ts';
import { includesPoint, needsOf } from './needs.ts';
import { keepStages } from './stages.ts';
import type { GenerationState } from './state.ts';
import {
  clearProgSlots,
  generationsPresent,
  type PersistentMaps,
  pointsPinned,
  readState,
  readStateInForce,
  removeGeneration,
} from './store.ts';
import { forgetUndo, readUndo } from './undo.ts';

/** Removes what `state`, the generation in force, does not need. Harmless to repeat, and to interrupt. `afterGrace` is called when no packet is inside other generations' programs. */
export function tidy(
  layout: Layout,
  maps: PersistentMaps,
  state: GenerationState | undefined,
  afterGrace: () => void = () => {},
): void {
  const needs = needsOf(state);
  const half = (state?.generation ?? 0) & 1;
  // A packet that entered its hook before the switch may still be on its way through the old generation.
  waitForGracePeriod();
  afterGrace();
  keepBridges(layout, needs.rejecting);
  // Before the guards: a packet whose list nobody carries out must meet one.
  settleTables(layout, state);
  keepEffectPrograms(layout, state);
  keepAsks(state);
  keepStages(layout, state);
  removeLinks(layout.stubs, (point) => !includesPoint(needs.points, point));
  const guards = pointsPinned(layout.guards).filter((point) => !includesPoint(needs.guarded, point));
  if (guards.length > 0) {
    // A packet that is on its way through a bridge that has gone must meet its guard.
    waitForGracePeriod();
    removeLinks(layout.guards, (point) => includesPoint(guards, point));
  }
  keepConntrack([...needs.conntrack, ...conntrackOfDevices(layout)]);
  keepEarly(layout, maps, state);
  clearProgSlots(maps.progs, (point, other) => other !== half || !includesPoint(needs.points, point));
  for (const generation of generationsPresent(layout)) {
    if (generation === state?.generation) forgetUndo(layout, generation);
    else {
      removeGeneration(layout, generation);
    }
  }
}

/** What earlier generations had in the kernel goes; what a later one that never came into force loaded was undone. */
function settleTables(layout: Layout, inForce: GenerationState | undefined): void {
  if (inForce === undefined) return;
  for (const generation of generationsPresent(layout)) {
    const old = generation < inForce.generation ? readState(layout, generation) : undefined;
    if (old !== undefined) settleKernelTables(layout, old, inForce);
  }
}

/**
 * Finds out what is in force and removes what an interrupted apply left beside it. With nothing in force everything goes.
 * Returns the state in force.
 */
export function recover(layout: Layout, open: (layout: Layout) => PersistentMaps): GenerationState | undefined {
  const state = readStateInForce(layout);
  undoKernelTables(layout, state?.generation ?? 0);
  if (state === undefined) {
    removeEverything(layout);
    return undefined;
  }
  if (isTidy(layout, state)) return state;
  const maps = open(layout);
  try {
    tidy(layout, maps, state);
  } finally {
    maps.close();
  }
  return state;
}

/** Whether the last apply came to its end: removing other generations' directories is the last thing it does. */
function isTidy(layout: Layout, { generation }: GenerationState): boolean {
  return generationsPresent(layout).every((other) => other === generation) && !existsSync(layout.undo(generation));
}

/** Puts back the kernel tables that applies changed which never switched. `inForce`: the generation whose changes stand. */
export function undoKernelTables(layout: Layout, inForce: number): void {
  for (const generation of generationsPresent(layout)) {
    const undo = generation === inForce ? undefined : readUndo(layout, generation);
    if (undo === undefined) continue;
    applyUndo(undo);
    forgetUndo(layout, generation);
  }
}

/** Removes every object of this namespace. Filtering must have ended: the generation word is 0 or gone. */
export function removeEverything(layout: Layout): void {
  if (pointsPinned(layout.stubs).length > 0) waitForGracePeriod();
  keepBridges(layout, []);
  keepAsks(undefined);
  keepStages(layout, undefined);
  removeEarlyLinks(layout, () => true);
  removeLinks(layout.stubs, () => true);
  if (pointsPinned(layout.guards).length > 0) waitForGracePeriod();
  removeLinks(layout.guards, () => true);
  keepConntrack(conntrackOfDevices(layout));
  rmSync(layout.root, { recursive: true, force: true });
}

/** Takes links off their hooks at once (a removed pin alone is dropped some time later). */
function removeLinks(directory: string, unwanted: (point: HookPoint) => boolean): void {
  for (const point of pointsPinned(directory)) {
    if (!unwanted(point)) continue;
    const path = `${directory}/${pointName(point)}`;
    const link = openPinnedLink(path);
    try {
      // The pin first: a kill between the two leaves no pin of a link that no longer filters.
      rmSync(path, { force: true });
      link.detach();
    } finally {
      link.close();
    }
  }
}
