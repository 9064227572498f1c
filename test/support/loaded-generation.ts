/** A compiled generation in the kernel, attached to nothing. */

import type { CompiledGeneration, CompiledHook } from '../../src/codegen/compiled.ts';
import { PERSISTENT_MAPS } from '../../src/firewall/layout.ts';
import { type BpfMap, createMap } from '../../src/kernel/map.ts';
import { type BpfProgram, loadProgram } from '../../src/kernel/program.ts';

export interface Loaded {
  readonly maps: ReadonlyMap<string, BpfMap>;
  program(hook: CompiledHook): BpfProgram;
}

/** Loads all maps and programs, runs `body` and closes everything. Throws VerifierError like loadProgram. */
export function withLoaded<T>(generation: CompiledGeneration, body: (loaded: Loaded) => T): T {
  const maps = new Map<string, BpfMap>();
  const programs = new Map<CompiledHook, BpfProgram>();
  try {
    for (const spec of [...PERSISTENT_MAPS, ...generation.maps]) maps.set(spec.name, createMap(spec));
    for (const hook of generation.hooks) programs.set(hook, loadProgram(hook.program, maps));
    return body({ maps, program: (hook) => programs.get(hook)! });
  } finally {
    for (const program of programs.values()) program.close();
    for (const map of maps.values()) map.close();
  }
}

/** The same for a body that takes its time. */
export async function withLoadedAsync<T>(
  generation: CompiledGeneration,
  body: (loaded: Loaded) => Promise<T>,
): Promise<T> {
  const maps = new Map<string, BpfMap>();
  const programs = new Map<CompiledHook, BpfProgram>();
  try {
    for (const spec of [...PERSISTENT_MAPS, ...generation.maps]) maps.set(spec.name, createMap(spec));
    for (const hook of generation.hooks) programs.set(hook, loadProgram(hook.program, maps));
    return await body({ maps, program: (hook) => programs.get(hook)! });
  } finally {
    for (const program of programs.values()) program.close();
    for (const map of maps.values()) map.close();
  }
}
