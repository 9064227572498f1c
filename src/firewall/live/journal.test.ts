import { describe, expect, it } from 'vitest';
import { type JournalEntry, journalMap, journalRevision, journalWriter, readJournal } from './journal.ts';

const ENTRY: JournalEntry = {
  table: 'filter',
  chain: 'INPUT',
  edits: [
    { kind: 'insert', at: 3, line: '[0:0] -A INPUT -m comment --comment "ü" -j DROP', counter: 12 },
    { kind: 'delete', at: 0 },
  ],
  store: { map: 'bf_run0', offset: 0, value: 7 },
};

function fresh(): Uint8Array {
  return journalMap(10).initial!.slice();
}

describe('journal', () => {
  it('is empty at first', () => {
    expect(readJournal(fresh())).toEqual({ revision: 0, sealed: [] });
  });

  it('has an entry that is written, and then sealed', () => {
    const bytes = fresh();
    const writer = journalWriter(bytes);
    writer.write(ENTRY);
    expect(readJournal(bytes)).toEqual({ revision: 2, sealed: [], open: ENTRY });
    writer.seal();
    writer.write({ ...ENTRY, chain: 'FORWARD' });
    expect(readJournal(bytes)).toEqual({ revision: 5, sealed: [ENTRY], open: { ...ENTRY, chain: 'FORWARD' } });
    expect(journalRevision(bytes)).toBe(5);
  });

  it('forgets an entry that was not sealed when the next one comes', () => {
    const bytes = fresh();
    const writer = journalWriter(bytes);
    writer.write(ENTRY);
    const { store: _, ...other } = { ...ENTRY, chain: 'OUTPUT' };
    writer.write(other);
    writer.seal();
    expect(readJournal(bytes).sealed).toEqual([other]);
  });

  it('says when it is full', () => {
    const bytes = fresh();
    const writer = journalWriter(bytes);
    const characters = JSON.stringify(ENTRY).length;
    let entries = 0;
    for (; writer.fits(characters); entries++) {
      writer.write(ENTRY);
      writer.seal();
    }
    expect(entries).toBeGreaterThan(200);
    expect(readJournal(bytes).sealed.length).toBe(entries);
  });
});
