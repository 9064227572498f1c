/** The programs behind the rules that carry effects out, and which bridge a table has. */

import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { type EffectProgram, effectProgram, effectProgramName } from '../codegen/netfilter/effect-programs.ts';
import { pin } from '../kernel/object.ts';
import { loadProgram } from '../kernel/program.ts';
import { FAMILIES, type Family, type TableName } from '../packet/netfilter.ts';
import { programsOf, type TableBridge } from './effect-rules.ts';
import type { Layout } from './layout.ts';
import type { FamilyState, GenerationState } from './state.ts';
import type { PersistentMaps } from './store.ts';

/** The bridge that a table of a family has in the kernel; undefined: none. */
export function bridgeOf(family: Family, state: FamilyState | undefined, name: TableName): TableBridge | undefined {
  const table = state?.tables.find((item) => item.name === name);
  if (table === undefined || table.placement === 'kernel') return undefined;
  const hooks = table.hooks.flatMap(({ bridge }) => bridge ?? []);
  return hooks.length === 0 ? undefined : { family, base: state?.effectBase ?? 0, hooks };
}

/** All bridges of a generation. */
function bridgesOf(state: GenerationState | undefined): readonly TableBridge[] {
  return FAMILIES.flatMap((family) => {
    const own = state?.families[family];
    return (own?.tables ?? []).flatMap(({ name }) => bridgeOf(family, own, name) ?? []);
  });
}

/** Pins what the rules of a generation's bridges refer to, where it is not there already. */
export function pinEffectPrograms(layout: Layout, maps: PersistentMaps, state: GenerationState): void {
  const bridges = bridgesOf(state);
  if (bridges.length === 0) return;
  mkdirSync(layout.effects, { recursive: true, mode: 0o700 });
  for (const program of bridges.flatMap(programsOf)) pinOnce(layout, maps, program);
}

function pinOnce(layout: Layout, maps: PersistentMaps, spec: EffectProgram): void {
  const path = `${layout.effects}/${effectProgramName(spec)}`;
  if (existsSync(path)) return;
  const program = loadProgram(effectProgram(spec), maps.byName);
  try {
    pin(program.fd, path);
  } finally {
    program.close();
  }
}

/** Removes the pins that no bridge of this generation refers to. */
export function keepEffectPrograms(layout: Layout, state: GenerationState | undefined): void {
  if (!existsSync(layout.effects)) return;
  const kept = new Set(bridgesOf(state).flatMap(programsOf).map(effectProgramName));
  for (const name of readdirSync(layout.effects)) if (!kept.has(name)) rmSync(`${layout.effects}/${name}`);
}
