/** The maps of a generation that a warm process writes to, mapped. */

import { MAP_NAMES } from '../../codegen/compiled.ts';
import { COUNTER_BYTES } from '../../codegen/netfilter/counters.ts';
import { isErrno } from '../../kernel/errno.ts';
import { type MapMemory, openMapMemory } from '../../kernel/map-memory.ts';
import { openPinnedMap } from '../../kernel/object.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { Layout } from '../layout.ts';
import { JOURNAL_MAP, type JournalWriter, journalWriter } from './journal.ts';

/** Owns its mappings, which stay what they are whatever happens to the pins. */
export interface LiveMemory {
  readonly journal: JournalWriter;
  /** The kernel's number of the journal's map: no other journal ever has it. */
  readonly journalId: number;
  region(map: string): MapMemory;
  /** Makes a counter zero on every CPU. Nobody may count there. */
  zero(counter: number): void;
  close(): void;
}

export interface CounterLayout {
  readonly counterStride: number;
  readonly cpus: number;
}

/** Maps the memory of a family. @throws SyscallError */
export function openLiveMemory(
  layout: Layout,
  generation: number,
  family: Family,
  regions: readonly string[],
  { counterStride, cpus }: CounterLayout,
): LiveMemory {
  const opened = new Map<string, MapMemory>();
  const close = (): void => {
    for (const memory of opened.values()) memory.close();
  };
  const open = (name: string): number => {
    const map = openPinnedMap(layout.generationMap(generation, family, name));
    try {
      opened.set(name, openMapMemory(map));
      return map.id;
    } finally {
      map.close();
    }
  };
  const region = (name: string): MapMemory => {
    const memory = opened.get(name);
    if (memory === undefined) throw new Error(`map ${name} is not open`);
    return memory;
  };
  try {
    const journalId = open(JOURNAL_MAP);
    for (const name of [MAP_NAMES.counters, ...regions]) open(name);
    const counters = region(MAP_NAMES.counters).bytes;
    return {
      journal: journalWriter(region(JOURNAL_MAP).bytes),
      journalId,
      region,
      zero(counter) {
        for (let cpu = 0; cpu < cpus; cpu++) {
          const at = cpu * counterStride + counter * COUNTER_BYTES;
          counters.fill(0, at, at + COUNTER_BYTES);
        }
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** The kernel's number of the journal's map of a generation; undefined when there is none. */
export function journalIdOf(layout: Layout, generation: number, family: Family): number | undefined {
  try {
    const map = openPinnedMap(layout.generationMap(generation, family, JOURNAL_MAP));
    map.close();
    return map.id;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
