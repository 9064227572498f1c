/**
 * Putting rules into force. Everything is loaded and verified beside what filters now; then one write of the generation
 * word switches all hooks of both families; then what is no longer needed goes.
 *
 * A kill at any point leaves the old or the new generation in force. The one thing that cannot be part of the single
 * write are the kernel's own tables (nat, and those that cannot run as programs): they are replaced right before it, and a
 * note of how they were (undo.ts) lets the next apply or flush put them back if the write never came. A table that comes
 * back from the kernel is emptied there only after the write, so that the old or the new rules filter at every instant.
 */

import { acceptProgram, guardProgram, stubProgram } from '../codegen/netfilter/stub.ts';
import { loadProgram, setProgramSlot } from '../kernel/program.ts';
import type { Family, Hook, TableName } from '../packet/netfilter.ts';
import type { Adoption } from './adoption.ts';
import { addAsks, asksLate } from './asks.ts';
import { attachAndPin } from './attach.ts';
import { addBridges } from './bridge.ts';
import { buildGeneration, type LoadedGeneration } from './build.ts';
import { addConntrack } from './conntrack.ts';
import { openEarlyGates } from './early-gate.ts';
import { fillEarlySlots, hangEarlyLinks } from './early-links.ts';
import { pinEffectPrograms } from './effect-bridge.ts';
import { FirewallError } from './failure.ts';
import { foreignRules } from './foreign.ts';
import { changeKernelTables, testKernelTables } from './kernel-placed.ts';
import { type HookPoint, type Layout, progIndex, slotOf } from './layout.ts';
import { includesPoint, needsOf } from './needs.ts';
import type { FamilyPlan } from './plan.ts';
import { addStages, makeRoom, STAGE_ROOM, suspendingPoints } from './stages.ts';
import type { GenerationState } from './state.ts';
import {
  createPersistentMaps,
  openPersistentMaps,
  type PersistentMaps,
  pointsPinned,
  writeGeneration,
} from './store.ts';
import { recover, removeEverything, tidy } from './tidy.ts';

export interface ApplyResult {
  readonly generation: number;
  /** What the administrator should know about the namespace. */
  readonly warnings: readonly string[];
  /** Every program of the generation, carried-over families included. */
  readonly programs: readonly {
    readonly family: Family;
    readonly table: TableName;
    readonly hook: Hook;
    readonly id: number;
  }[];
}

/**
 * Puts these families' rules into force; other families stay as they are. Call it alone, in the namespace.
 * `settled` is called behind the switch, when no packet is inside the old programs any more, and before they go. Throws with the old rules in force.
 */
export function applyPlans(
  layout: Layout,
  plans: readonly FamilyPlan[],
  adoption?: Adoption,
  settled: (state: GenerationState) => void = () => {},
): ApplyResult {
  testKernelTables(plans);
  const previous = recover(layout, openPersistentMaps);
  const maps = startingMaps(layout, previous);
  try {
    const loaded = install(layout, maps, plans, previous, adoption);
    let closed: readonly string[] = [];
    cleanUpAfter(() => {
      tidy(layout, maps, loaded.state, () => settled(loaded.state));
      adoption?.afterSwitch(loaded.state);
      closed = openEarlyGates(layout, loaded.state);
    });
    return {
      generation: loaded.state.generation,
      warnings: [...foreignRules(plans), ...loaded.warnings, ...closed],
      programs: loaded.programs.map(({ point, program }) => ({ ...point, id: program.id })),
    };
  } finally {
    maps.close();
  }
}

function startingMaps(layout: Layout, previous: GenerationState | undefined): PersistentMaps {
  if (previous !== undefined) return openPersistentMaps(layout);
  try {
    return createPersistentMaps(layout);
  } catch (error) {
    removeEverything(layout);
    throw error;
  }
}

/** A failure after the switch must not look as if the old rules were still in force. */
function cleanUpAfter(action: () => void): void {
  try {
    action();
  } catch (error) {
    throw new FirewallError('failed', 'the new rules are in force, but removing the old ones failed', { cause: error });
  }
}

/** Everything up to and including the switch; on failure everything back. */
function install(
  layout: Layout,
  maps: PersistentMaps,
  plans: readonly FamilyPlan[],
  previous: GenerationState | undefined,
  adoption: Adoption | undefined,
): LoadedGeneration & { readonly warnings: readonly string[] } {
  try {
    const loaded = buildGeneration({ layout, maps, plans, previous });
    try {
      prepareHooks(layout, maps, loaded, previous, suspendingPoints(plans));
      addStages(layout, loaded, plans);
      addAsks(
        layout,
        loaded.state.generation,
        plans.filter((plan) => !asksLate(plan)),
      );
      addConntrack(needsOf(loaded.state).conntrack);
      pinEffectPrograms(layout, maps, loaded.state);
      fillEarlySlots(maps, loaded.state.generation, loaded.early);
      const warnings = hangEarlyLinks(layout, maps, plans);
      const putBack = changeKernelTables(layout, plans, loaded.state, previous, adoption);
      try {
        addAsks(layout, loaded.state.generation, plans.filter(asksLate));
        adoption?.beforeSwitch(loaded.state);
        writeGeneration(maps.generation, loaded.state.generation);
      } catch (error) {
        putBack();
        throw error;
      }
      return { ...loaded, warnings };
    } finally {
      loaded.close();
    }
  } catch (error) {
    if (previous === undefined) removeEverything(layout);
    else tidy(layout, maps, previous);
    throw error;
  }
}

/**
 * Fills the other half of the PROG_ARRAY and hangs up what is missing on the hooks. A stub that is new must let packets
 * through until the switch, so the half in force says accept there; a stub that is no longer needed must after it.
 */
function prepareHooks(
  layout: Layout,
  maps: PersistentMaps,
  loaded: LoadedGeneration,
  previous: GenerationState | undefined,
  suspending: readonly HookPoint[],
): void {
  const { generation } = loaded.state;
  const present = pointsPinned(layout.stubs);
  const needs = needsOf(loaded.state);
  const accept = loadProgram(acceptProgram(), maps.byName);
  try {
    for (const { point, program } of loaded.programs) {
      setProgramSlot(maps.progs, progIndex(slotOf(point), generation), program);
    }
    for (const point of present.filter((item) => !includesPoint(needs.points, item))) {
      setProgramSlot(maps.progs, progIndex(slotOf(point), generation), accept);
    }
    const missing = needs.points.filter((point) => !includesPoint(present, point));
    for (const point of missing) {
      if (previous !== undefined) setProgramSlot(maps.progs, progIndex(slotOf(point), previous.generation), accept);
    }
    // Behind, between, before: a packet that a stub sends towards a REJECT must find bridge and guard.
    hangGuards(layout, maps, needs.guarded);
    addBridges(layout, maps, needs.rejecting);
    makeRoom(layout, maps, suspending);
    for (const point of missing) {
      const distance = includesPoint(suspending, point) ? STAGE_ROOM + 1 : 1;
      attachAndPin(stubProgram(slotOf(point)), maps, point, 'before', layout.stub(point), distance);
    }
  } finally {
    accept.close();
  }
}

function hangGuards(layout: Layout, maps: PersistentMaps, points: readonly HookPoint[]): void {
  const present = pointsPinned(layout.guards);
  for (const point of points) {
    if (!includesPoint(present, point)) attachAndPin(guardProgram(), maps, point, 'behind', layout.guard(point));
  }
}
