/**
 * Maps of lists and tables that rules share by name. They belong to the network namespace, not to a family: pinned once in each
 * generation, and handed on to the next as long as a rule names them.
 */

import { closeSync } from 'node:fs';
import { type NamedMap, namedMapSpec } from '../codegen/netfilter/state/named-map.ts';
import { type BpfMap, createMap } from '../kernel/map.ts';
import { openPinned, openPinnedMap, pin } from '../kernel/object.ts';
import { FAMILIES } from '../packet/netfilter.ts';
import { FirewallError } from './failure.ts';
import type { Layout } from './layout.ts';
import type { FamilyPlan } from './plan.ts';
import type { GenerationState } from './state.ts';

export interface NamedMapsInput {
  readonly layout: Layout;
  readonly generation: number;
  readonly plans: readonly FamilyPlan[];
  readonly previous: GenerationState | undefined;
}

/** Pins every named map that the generation needs, old or new. Returns those of the plans, open, by name: the caller closes them. */
export function buildNamedMaps(input: NamedMapsInput): ReadonlyMap<string, BpfMap> {
  const { layout, generation, plans, previous } = input;
  const old = new Map(previousMaps(previous).map((named) => [named.map, named]));
  const carried = new Map(carriedMaps(input).map((named) => [named.map, named]));
  const open = new Map<string, BpfMap>();
  try {
    for (const named of plans.flatMap((plan) => plan.compiled.named)) {
      if (open.has(named.map)) continue;
      const before = old.get(named.map);
      const stays = before !== undefined && isSame(before, named);
      if (!stays) refuseChange(before, named, carried.has(named.map));
      const map =
        stays && previous !== undefined
          ? openPinnedMap(layout.namedMap(previous.generation, named.map))
          : createMap(namedMapSpec(named.table));
      open.set(named.map, map);
      pin(map.fd, layout.namedMap(generation, named.map));
    }
    for (const { map } of carried.values()) {
      if (open.has(map) || previous === undefined) continue;
      const fd = openPinned(layout.namedMap(previous.generation, map));
      try {
        pin(fd, layout.namedMap(generation, map));
      } finally {
        closeSync(fd);
      }
    }
    return open;
  } catch (error) {
    for (const map of open.values()) map.close();
    throw error;
  }
}

function previousMaps(previous: GenerationState | undefined): readonly NamedMap[] {
  return FAMILIES.flatMap((family) => previous?.families[family]?.named ?? []);
}

/** Those of families without a plan. */
function carriedMaps({ plans, previous }: NamedMapsInput): readonly NamedMap[] {
  const without = FAMILIES.filter((family) => !plans.some((plan) => plan.family === family));
  return without.flatMap((family) => previous?.families[family]?.named ?? []);
}

function isSame(one: NamedMap, other: NamedMap): boolean {
  return JSON.stringify(one.table) === JSON.stringify(other.table);
}

/** A list may be made anew because a rule wants more times remembered, as the kernel does; the other family must then see it. */
function refuseChange(before: NamedMap | undefined, now: NamedMap, carried: boolean): void {
  if (before === undefined) return;
  const grown =
    before.table.kind === 'recent' &&
    now.table.kind === 'recent' &&
    isSame({ ...before, table: { ...before.table, ring: now.table.ring } }, now) &&
    before.table.ring < now.table.ring;
  if (!grown) throw new FirewallError('failed', 'the rules in force have changed in the meantime; apply again');
  if (carried) {
    const { name } = now.table;
    throw new FirewallError(
      'failed',
      `the list "${name}" must get room for more hits, and the other family's rules use it, too: apply both files together`,
    );
  }
}
