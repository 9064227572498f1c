/** What is in force, with live counters. */

import { existsSync } from 'node:fs';
import { MAP_NAMES } from '../codegen/compiled.ts';
import { openPinnedLink, openPinnedMap, openPinnedProgram } from '../kernel/object.ts';
import { programInfo } from '../kernel/program.ts';
import { parseRuleset } from '../languages/iptables/parse.ts';
import { FAMILIES, type Family, type Hook, type TableName } from '../packet/netfilter.ts';
import type { Ruleset } from '../rules/model.ts';
import { withLiveCounters } from './counters.ts';
import { FirewallError } from './failure.ts';
import { type KernelTablesRead, withKernelTables } from './kernel-placed.ts';
import { isPersistentMap, type Layout } from './layout.ts';
import { replay } from './live/replay.ts';
import { untilSteady } from './live/steady.ts';
import { type ChainPlacement, placements } from './placement.ts';
import { type FamilyState, type GenerationState, kernelTablesOf } from './state.ts';
import { readStateInForce } from './store.ts';

export interface InForce {
  readonly generation: number;
  readonly families: readonly FamilyInForce[];
}

export interface FamilyInForce {
  readonly family: Family;
  /** Every table; BPF tables with live counters, kernel tables as the kernel tells them. */
  readonly ruleset: Ruleset;
  readonly warnings: readonly string[];
  readonly placements: readonly ChainPlacement[];
  /** The generation that loaded this family's programs. */
  readonly madeBy: number;
  readonly programs: readonly ProgramInForce[];
  readonly maps: readonly { readonly name: string; readonly id: number }[];
}

export interface ProgramInForce {
  readonly table: TableName;
  readonly hook: Hook;
  readonly id: number;
  /** 8-byte instructions as the verifier left them, and bytes of machine code. */
  readonly instructions: number;
  readonly jitedBytes: number;
  /** Priority of the stub on its hook. */
  readonly priority: number | undefined;
}

/** Reads everything; undefined when nothing is in force in this namespace. */
export function readInForce(layout: Layout): InForce | undefined {
  const state = readStateInForce(layout);
  if (state === undefined) return undefined;
  return {
    generation: state.generation,
    families: FAMILIES.flatMap((family) => {
      const familyState = state.families[family];
      return familyState === undefined ? [] : [readFamily(layout, state, family, familyState)];
    }),
  };
}

/** The rules of one family with live counters; undefined when the family has none in force. */
export function readRuleset(layout: Layout, family: Family): KernelTablesRead | undefined {
  const state = readStateInForce(layout);
  const familyState = state?.families[family];
  return state === undefined || familyState === undefined
    ? undefined
    : liveRuleset(layout, state.generation, family, familyState);
}

function readFamily(layout: Layout, state: GenerationState, family: Family, familyState: FamilyState): FamilyInForce {
  const { ruleset, warnings } = liveRuleset(layout, state.generation, family, familyState);
  return {
    family,
    ruleset,
    warnings,
    placements: placements(ruleset, kernelTablesOf(state, family)),
    madeBy: familyState.madeBy,
    programs: readPrograms(layout, state.generation, family, familyState),
    maps: familyState.maps.map((name) => {
      const map = openPinnedMap(
        isPersistentMap(name) ? layout.map(name) : layout.generationMap(state.generation, family, name),
      );
      map.close();
      return { name, id: map.id };
    }),
  };
}

/** The rules of one family of a generation, in force or just stopped, with live counters. */
export function liveRuleset(layout: Layout, generation: number, family: Family, state: FamilyState): KernelTablesRead {
  const { ruleset } = parseRuleset({ name: layout.state(generation), text: state.text }, family);
  if (ruleset === undefined) {
    throw new FirewallError('failed', `the rules in force cannot be read back from ${layout.state(generation)}`);
  }
  const now = untilSteady(layout, generation, family, state, (entries) => {
    const replayed = replay(ruleset, state, entries);
    return withLiveCounters(replayed.ruleset, replayed.state, readCounters(layout, generation, family, state));
  });
  return withKernelTables(now, state);
}

function readCounters(layout: Layout, generation: number, family: Family, state: FamilyState): Uint8Array {
  if (!state.maps.includes(MAP_NAMES.counters)) return new Uint8Array();
  const map = openPinnedMap(layout.generationMap(generation, family, MAP_NAMES.counters));
  try {
    return map.readValue();
  } finally {
    map.close();
  }
}

function readPrograms(
  layout: Layout,
  generation: number,
  family: Family,
  state: FamilyState,
): readonly ProgramInForce[] {
  return state.tables.flatMap((table) => {
    if (table.placement === 'kernel') return [];
    return table.hooks.map(({ hook }) => {
      const point = { family, table: table.name, hook };
      const program = openPinnedProgram(layout.program(generation, point));
      try {
        const { id, jitedBytes, translatedBytes } = programInfo(program);
        const instructions = translatedBytes / 8;
        return { table: table.name, hook, id, instructions, jitedBytes, priority: priorityOf(layout.stub(point)) };
      } finally {
        program.close();
      }
    });
  });
}

function priorityOf(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const link = openPinnedLink(path);
  link.close();
  return link.place?.priority;
}
