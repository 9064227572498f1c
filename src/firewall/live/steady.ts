/** Reading rules while another process may be changing them. */

import { openMapMemory } from '../../kernel/map-memory.ts';
import { openPinnedMap } from '../../kernel/object.ts';
import type { Family } from '../../packet/netfilter.ts';
import { FirewallError } from '../failure.ts';
import type { Layout } from '../layout.ts';
import type { FamilyState } from '../state.ts';
import { JOURNAL_MAP, type JournalEntry, journalRevision, readJournal } from './journal.ts';

/** A writer takes a fraction of a millisecond for a change: as often as this it is not in the way by accident. */
const ATTEMPTS = 1000;

/** `read` with the journal entries that are in force, repeated until the journal did not change meanwhile. */
export function untilSteady<T>(
  layout: Layout,
  generation: number,
  family: Family,
  state: FamilyState,
  read: (entries: readonly JournalEntry[]) => T,
): T {
  if (!state.maps.includes(JOURNAL_MAP)) return read([]);
  const map = openPinnedMap(layout.generationMap(generation, family, JOURNAL_MAP));
  try {
    const memory = openMapMemory(map);
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const revision = journalRevision(memory.bytes);
        const value = memory.bytes.slice();
        if (journalRevision(memory.bytes) !== revision) continue;
        const { sealed, open } = readJournal(value);
        const happened = open?.store !== undefined && storeMade(layout, generation, family, open.store);
        const result = read(happened ? [...sealed, open] : sealed);
        if (journalRevision(memory.bytes) === revision) return result;
      }
    } finally {
      memory.close();
    }
  } finally {
    map.close();
  }
  throw new FirewallError('failed', 'the rules are being changed all the time');
}

/** Whether the word says what the store made of it: before it another value stood there. */
function storeMade(
  layout: Layout,
  generation: number,
  family: Family,
  { map, offset, value }: NonNullable<JournalEntry['store']>,
): boolean {
  const region = openPinnedMap(layout.generationMap(generation, family, map));
  try {
    const memory = openMapMemory(region);
    try {
      return new DataView(memory.bytes.buffer, memory.bytes.byteOffset).getUint32(offset, true) === value;
    } finally {
      memory.close();
    }
  } finally {
    region.close();
  }
}
