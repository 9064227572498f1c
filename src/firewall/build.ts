/**
 * Loading a generation: its maps and programs, pinned under `gen-<n>/`, and its state. Nothing refers to them yet, so a
 * failure or a kill in here leaves nothing but a directory that the next apply or flush removes.
 */

import { closeSync, mkdirSync } from 'node:fs';
import { type CompiledHook, MAP_NAMES } from '../codegen/compiled.ts';
import { BASE_BIT, effectBaseMap } from '../codegen/netfilter/effects.ts';
import { type BpfMap, createMap } from '../kernel/map.ts';
import { openPinned, openPinnedProgram, pin } from '../kernel/object.ts';

import { type BpfProgram, loadProgram } from '../kernel/program.ts';
import { VerifierError } from '../kernel/verifier-error.ts';
import { FAMILIES, type Family } from '../packet/netfilter.ts';
import { earlyOf, fillEarlyStages } from './early-links.ts';
import { type HookPoint, isPersistentMap, type Layout } from './layout.ts';
import { buildNamedMaps } from './named-maps.ts';
import type { FamilyPlan } from './plan.ts';
import type { FamilyState, GenerationState } from './state.ts';
import { type PersistentMaps, writeState } from './store.ts';

/** Programs of a loaded generation. Owns their descriptors; the pins keep the programs. */
export interface LoadedGeneration {
  readonly state: GenerationState;
  readonly programs: readonly { readonly point: HookPoint; readonly program: BpfProgram }[];
  /** Early programs, by family. */
  readonly early: EarlyPrograms;
  close(): void;
}

type EarlyPrograms = readonly { readonly family: Family; readonly program: BpfProgram }[];

export interface BuildInput {
  readonly layout: Layout;
  readonly maps: PersistentMaps;
  /** New rules, by family. */
  readonly plans: readonly FamilyPlan[];
  /** What is in force: families without a plan are carried over from it, objects and all. */
  readonly previous: GenerationState | undefined;
}

/** Builds the generation after `previous` (the first is 1). */
export function buildGeneration({ layout, maps, plans, previous }: BuildInput): LoadedGeneration {
  const generation = (previous?.generation ?? 0) + 1;
  const families: { [F in Family]?: FamilyState } = {};
  const programs: { point: HookPoint; program: BpfProgram }[] = [];
  const early: { family: Family; program: BpfProgram }[] = [];
  const close = (): void => {
    for (const { program } of [...programs, ...early]) program.close();
  };
  mkdirSync(layout.generation(generation), { mode: 0o700 });
  let named: ReadonlyMap<string, BpfMap> = new Map();
  try {
    named = buildNamedMaps({ layout, generation, plans, previous });
    for (const family of FAMILIES) {
      const plan = plans.find((item) => item.family === family);
      const carried = previous?.families[family];
      if (plan !== undefined) {
        const state = { madeBy: generation, ...plan.state, ...effectBaseFor(plan, carried) };
        families[family] = state;
        programs.push(
          ...loadFamily(layout, generation, new Map([...maps.byName, ...named]), plan, state.effectBase, early),
        );
      } else if (previous !== undefined && carried !== undefined) {
        families[family] = carried;
        programs.push(...carryFamily(layout, previous.generation, generation, family, carried));
        if (earlyOf(carried) !== undefined) early.push(carryEarly(layout, previous.generation, generation, family));
      }
    }
    const state: GenerationState = { version: 1, generation, families };
    writeState(layout, state);
    return { state, programs, early, close };
  } catch (error) {
    close();
    throw error;
  } finally {
    for (const map of named.values()) map.close();
  }
}

type LoadedPrograms = { point: HookPoint; program: BpfProgram }[];

/** Another base than that of the generation in force, whose effects are in the kernel's tables beside the new ones for a while. */
function effectBaseFor(plan: FamilyPlan, previous: FamilyState | undefined): Pick<FamilyState, 'effectBase'> {
  if (!plan.compiled.maps.some((map) => map.name === MAP_NAMES.effectBase)) return {};
  return { effectBase: previous?.effectBase === 0 ? 1 << BASE_BIT : 0 };
}

function loadFamily(
  layout: Layout,
  generation: number,
  lasting: ReadonlyMap<string, BpfMap>,
  plan: FamilyPlan,
  effectBase: number | undefined,
  early: { family: Family; program: BpfProgram }[],
): LoadedPrograms {
  const own = new Map<string, BpfMap>();
  const loaded: LoadedPrograms = [];
  try {
    for (const spec of plan.compiled.maps) {
      if (lasting.has(spec.name)) continue;
      const map = createMap(spec.name === MAP_NAMES.effectBase ? effectBaseMap(effectBase ?? 0) : spec);
      own.set(spec.name, map);
      pin(map.fd, layout.generationMap(generation, plan.family, spec.name));
    }
    const maps = new Map([...lasting, ...own]);
    for (const compiled of plan.compiled.hooks) {
      const { family, table, hook } = compiled;
      const point = { family, table, hook };
      const program = loadHook(compiled, maps);
      loaded.push({ point, program });
      pin(program.fd, layout.program(generation, point));
    }
    if (plan.early?.programs !== undefined) {
      const program = loadProgram(plan.early.programs.program, maps);
      early.push({ family: plan.family, program });
      pin(program.fd, layout.earlyProgram(generation, plan.family));
      fillEarlyStages(plan.early.programs, maps);
    }
    return loaded;
  } catch (error) {
    for (const { program } of loaded) program.close();
    throw error;
  } finally {
    for (const map of own.values()) map.close();
  }
}

function carryEarly(layout: Layout, from: number, to: number, family: Family): { family: Family; program: BpfProgram } {
  const program = openPinnedProgram(layout.earlyProgram(from, family));
  try {
    pin(program.fd, layout.earlyProgram(to, family));
  } catch (error) {
    program.close();
    throw error;
  }
  return { family, program };
}

/** Pins the same maps and programs once more: same counters, same memory of limits, nothing is loaded. */
function carryFamily(layout: Layout, from: number, to: number, family: Family, state: FamilyState): LoadedPrograms {
  for (const name of state.maps) {
    if (isPersistentMap(name)) continue;
    const fd = openPinned(layout.generationMap(from, family, name));
    try {
      pin(fd, layout.generationMap(to, family, name));
    } finally {
      closeSync(fd);
    }
  }
  const carried: LoadedPrograms = [];
  try {
    for (const table of state.tables) {
      if (table.placement === 'kernel') continue;
      for (const { hook } of table.hooks) {
        const point = { family, table: table.name, hook };
        const program = openPinnedProgram(layout.program(from, point));
        carried.push({ point, program });
        pin(program.fd, layout.program(to, point));
      }
    }
    return carried;
  } catch (error) {
    for (const { program } of carried) program.close();
    throw error;
  }
}

/** Loads a hook's program, or the one that stands in for it where the verifier does not take the first. */
function loadHook(hook: CompiledHook, maps: ReadonlyMap<string, BpfMap>): BpfProgram {
  try {
    return loadProgram(hook.program, maps);
  } catch (error) {
    const other = error instanceof VerifierError ? hook.fallback?.() : undefined;
    if (other === undefined) throw error;
    return loadProgram(other, maps);
  }
}
