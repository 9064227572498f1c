/**
 * Counters that go on while a generation takes another's place. What a rule has counted when its successor is compiled becomes the number
 * that the successor starts from; what the old programs count from then until the last packet has left them is added behind the switch, to a
 * stride of the new counter map that belongs to no CPU: so no packet is lost and no program is disturbed.
 */

import { MAP_NAMES } from '../codegen/compiled.ts';
import type { BpfMap } from '../kernel/map.ts';
import { openMapMemory } from '../kernel/map-memory.ts';
import { openPinnedMap } from '../kernel/object.ts';
import type { Family } from '../packet/netfilter.ts';
import type { Counters, Ruleset } from '../rules/model.ts';
import type { RuleColumns } from '../rules/rule-columns.ts';
import { sumCounter } from './counters.ts';
import type { Layout } from './layout.ts';
import { type CounterPlace, mapCounters } from './ruleset-counters.ts';
import type { FamilyState, GenerationState } from './state.ts';

/** Bytes of one counter: packets u64, bytes u64. */
const COUNTER_BYTES = 16;
const U64 = (1n << 64n) - 1n;

/** A counter in force: its place in the map, and what the map's numbers are added to. */
export interface RunningCounter {
  readonly index: number;
  readonly start: Counters;
}

/** Which running counter a `counters` object of a rule or policy stands for, by the object's identity. */
export type RunningCounters = Pick<WeakMap<Counters, RunningCounter>, 'get'>;

/** Where the numbers of a family in force are. */
export interface CounterSource {
  readonly map: BpfMap;
  readonly counterStride: number;
  readonly cpus: number;
}

/** A rule set about to be put into force, and which of its counters go on. */
export interface Continued {
  readonly ruleset: Ruleset;
  /** Call it when no packet is inside the old programs any more, and alone. */
  settle(layout: Layout, state: GenerationState): void;
}

/** Gives each counter that is running its number of now; whatever else the rules carry stays. */
export function continueCounters(ruleset: Ruleset, running: RunningCounters, source: CounterSource): Continued {
  const read = (): DataView => new DataView(source.map.readValue().buffer);
  const before = read();
  const sum = (view: DataView, index: number): Counters => sumCounter(view, index, source.counterStride, source.cpus);
  const links: { readonly place: CounterPlace; readonly index: number }[] = [];
  // Rules that are columns have been read just now.
  const fresh = (columns: RuleColumns): RuleColumns | undefined =>
    [...columns.others.values()].some(({ counters }) => running.get(counters) !== undefined) ? undefined : columns;
  const started = mapCounters(
    ruleset,
    (place, now) => {
      const counter = running.get(now);
      if (counter === undefined) return now;
      links.push({ place, index: counter.index });
      return added(counter.start, sum(before, counter.index));
    },
    fresh,
  );
  return {
    ruleset: started,
    settle(layout, { generation, families }) {
      const state = families[ruleset.family];
      if (links.length === 0 || state?.maps.includes(MAP_NAMES.counters) !== true) return;
      const after = read();
      const indexes = indexesOf(state);
      const late = links.flatMap(({ place, index }) => {
        const to = indexes.get(keyOf(place));
        const more = difference(sum(after, index), sum(before, index));
        return to === undefined || (more.packets === 0n && more.bytes === 0n) ? [] : [{ to, more }];
      });
      if (late.length > 0) addLate(layout, generation, ruleset.family, state, late);
    },
  };
}

/** What a running counter says, from a value of the map that was read before. */
export function runningValue({ index, start }: RunningCounter, value: DataView, source: CounterSource): Counters {
  return added(start, sumCounter(value, index, source.counterStride, source.cpus));
}

/** The place of each counter of a family. */
export function indexesOf(state: FamilyState): ReadonlyMap<string, number> {
  const indexes = new Map<string, number>();
  for (const table of state.tables) {
    if (table.placement === 'kernel') continue;
    for (const { name, policy, rules } of table.chains) {
      if (policy !== undefined) indexes.set(keyOf({ table: table.name, chain: name, rule: 'policy' }), policy);
      for (const [rule, index] of rules.entries()) indexes.set(keyOf({ table: table.name, chain: name, rule }), index);
    }
  }
  return indexes;
}

export function keyOf({ table, chain, rule }: CounterPlace): string {
  return `${table} ${chain} ${rule}`;
}

function addLate(
  layout: Layout,
  generation: number,
  family: Family,
  { counterStride, cpus }: FamilyState,
  late: readonly { readonly to: number; readonly more: Counters }[],
): void {
  const map = openPinnedMap(layout.generationMap(generation, family, MAP_NAMES.counters));
  try {
    const memory = openMapMemory(map);
    try {
      const { bytes } = memory;
      const words = new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 3);
      for (const { to, more } of late) {
        // Nobody else writes to the last stride.
        const at = ((cpus - 1) * counterStride + to * COUNTER_BYTES) / 8;
        words[at] = words[at]! + more.packets;
        words[at + 1] = words[at + 1]! + more.bytes;
      }
    } finally {
      memory.close();
    }
  } finally {
    map.close();
  }
}

function added(one: Counters, other: Counters): Counters {
  return { packets: (one.packets + other.packets) & U64, bytes: (one.bytes + other.bytes) & U64 };
}

function difference(after: Counters, before: Counters): Counters {
  return { packets: (after.packets - before.packets) & U64, bytes: (after.bytes - before.bytes) & U64 };
}
