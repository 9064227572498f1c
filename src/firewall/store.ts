/** The pinned objects of one network namespace: reading, creating and naming them. No decisions are taken here. */

import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { type BpfMap, createMap, u32Key } from '../kernel/map.ts';
import { openPinnedMap, pin } from '../kernel/object.ts';
import { FirewallError } from './failure.ts';
import {
  GENERATION_MAP,
  generationOf,
  HOOK_POINTS,
  type HookPoint,
  type Layout,
  PERSISTENT_MAPS,
  PROGS_MAP,
  pointOf,
  progIndex,
  slotOf,
} from './layout.ts';
import { decodeState, encodeState, type GenerationState } from './state.ts';

/** The open maps that outlive generations, by name. Owns their descriptors. */
export interface PersistentMaps {
  readonly byName: ReadonlyMap<string, BpfMap>;
  readonly generation: BpfMap;
  readonly progs: BpfMap;
  close(): void;
}

/** The generation in force; 0: none. */
export function readGeneration(layout: Layout): number {
  if (!existsSync(layout.map(GENERATION_MAP))) return 0;
  const map = openPinnedMap(layout.map(GENERATION_MAP));
  try {
    return Number(Buffer.from(map.readValue()).readBigUInt64LE(0));
  } finally {
    map.close();
  }
}

/** The switch: from now on this generation filters; 0: every stub accepts. */
export function writeGeneration(map: BpfMap, generation: number): void {
  const value = Buffer.alloc(8);
  value.writeBigUInt64LE(BigInt(generation), 0);
  map.writeValue(value);
}

/** Opens the persistent maps. They must all be there. */
export function openPersistentMaps(layout: Layout): PersistentMaps {
  return collectMaps((spec) => openPinnedMap(layout.map(spec.name)));
}

/** Creates and pins the persistent maps; none may be there. The generation word is the last to appear, and 0. */
export function createPersistentMaps(layout: Layout): PersistentMaps {
  for (const directory of [layout.root, layout.stubs, layout.guards])
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  const maps = collectMaps(createMap);
  for (const [name, map] of maps.byName) if (name !== GENERATION_MAP) pin(map.fd, layout.map(name));
  pin(maps.generation.fd, layout.map(GENERATION_MAP));
  return maps;
}

function collectMaps(make: (spec: (typeof PERSISTENT_MAPS)[number]) => BpfMap): PersistentMaps {
  const byName = new Map<string, BpfMap>();
  const close = (): void => {
    for (const map of byName.values()) map.close();
  };
  const get = (name: string): BpfMap => {
    const map = byName.get(name);
    if (map === undefined) throw new Error(`no map ${name}`);
    return map;
  };
  try {
    for (const spec of PERSISTENT_MAPS) byName.set(spec.name, make(spec));
  } catch (error) {
    close();
    throw error;
  }
  return { byName, generation: get(GENERATION_MAP), progs: get(PROGS_MAP), close };
}

/** What a generation is, or undefined when it has no (readable) state. */
export function readState(layout: Layout, generation: number): GenerationState | undefined {
  if (!existsSync(layout.state(generation))) return undefined;
  const map = openPinnedMap(layout.state(generation));
  try {
    return decodeState(map.readValue());
  } catch {
    return undefined;
  } finally {
    map.close();
  }
}

/** The state of the generation in force, undefined when there is none. Throws when its state cannot be read. */
export function readStateInForce(layout: Layout): GenerationState | undefined {
  const generation = readGeneration(layout);
  if (generation === 0) return undefined;
  const state = readState(layout, generation);
  if (state !== undefined) return state;
  throw new FirewallError(
    'failed',
    `generation ${generation} is in force but its state cannot be read (${layout.state(generation)}); ` +
      '`bpfilter flush` removes everything, then apply again',
  );
}

/** Pins the description of a generation. */
export function writeState(layout: Layout, state: GenerationState): void {
  const value = encodeState(state);
  const map = createMap({
    name: 'bf_state',
    type: 'array',
    keySize: 4,
    valueSize: value.length,
    maxEntries: 1,
    initial: value,
  });
  try {
    pin(map.fd, layout.state(state.generation));
  } finally {
    map.close();
  }
}

/** Numbers of the generations that have a directory. */
export function generationsPresent(layout: Layout): readonly number[] {
  return names(layout.root).flatMap((name) => generationOf(name) ?? []);
}

/** Hook points that have a pin in a directory (stubs or guards). */
export function pointsPinned(directory: string): readonly HookPoint[] {
  return names(directory).flatMap((name) => pointOf(name) ?? []);
}

export function removeGeneration(layout: Layout, generation: number): void {
  rmSync(layout.generation(generation), { recursive: true, force: true });
}

/** Empties the PROG_ARRAY elements for which `unused` holds. */
export function clearProgSlots(progs: BpfMap, unused: (point: HookPoint, half: number) => boolean): void {
  for (const point of HOOK_POINTS) {
    for (const half of [0, 1]) if (unused(point, half)) progs.delete(u32Key(progIndex(slotOf(point), half)));
  }
}

function names(directory: string): readonly string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
