/**
 * The journal of a family: what has changed since its state was written, beside it in a map that is written in place.
 *
 *      0  u32 revision: goes up with every step of a writer, who is alone (session.ts)
 *      4  u32 sealed: end of the entries that are in force
 *      8  u32 written: end of what is written; beyond `sealed` lies at most one entry
 *     16  entries: u32 bytes of the text, then the text (JSON), to a multiple of four
 *
 * An entry is written before the memory of a look-up changes and sealed behind it. It names the one store that puts the change into
 * force: whoever finds an entry that is not sealed, because its writer is at work or was killed, looks whether that store was made.
 */

import type { MapSpec } from '../../bpf/program.ts';
import { BPF_F_MMAPABLE } from '../../kernel/map-memory.ts';
import type { TableName } from '../../packet/netfilter.ts';

export const JOURNAL_MAP = 'bf_journal';

/** A change of one chain; `at` counts from 0, in the chain as the edits before have left it. */
export type JournalEdit =
  /** `line`: the rule as a line of restore text, with the counters that it starts from; `counter`: its place in the counter map. */
  | { readonly kind: 'insert' | 'replace'; readonly at: number; readonly line: string; readonly counter: number }
  | { readonly kind: 'delete'; readonly at: number };

export interface JournalEntry {
  readonly table: TableName;
  readonly chain: string;
  readonly edits: readonly JournalEdit[];
  /** The u32 store that puts it into force; absent: being sealed does. */
  readonly store?: { readonly map: string; readonly offset: number; readonly value: number };
}

export interface Journal {
  readonly revision: number;
  readonly sealed: readonly JournalEntry[];
  /** Written, and not sealed. */
  readonly open?: JournalEntry;
}

const WORD = { revision: 0, sealed: 1, written: 2 } as const;
const FIRST = 16;
/** About 500 changes of small rule sets, 8,000 of large ones; then a new generation begins with an empty journal. */
const SIZES = { small: 1 << 16, large: 1 << 20, largeFrom: 4000 } as const;

/** The journal of a family with so many rules, empty. */
export function journalMap(rules: number): MapSpec {
  const valueSize = rules < SIZES.largeFrom ? SIZES.small : SIZES.large;
  const initial = new Uint8Array(valueSize);
  const words = new Uint32Array(initial.buffer);
  words[WORD.sealed] = FIRST;
  words[WORD.written] = FIRST;
  return { name: JOURNAL_MAP, type: 'array', keySize: 4, maxEntries: 1, valueSize, flags: BPF_F_MMAPABLE, initial };
}

/** Reads the value of a journal's map. @throws Error when it is none */
export function readJournal(value: Uint8Array): Journal {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const word = (at: number): number => view.getUint32(4 * at, true);
  const [sealedEnd, written] = [word(WORD.sealed), word(WORD.written)];
  const sealed: JournalEntry[] = [];
  let at = FIRST;
  while (at < sealedEnd) {
    sealed.push(entryAt(value, view, at));
    at += spaceFor(view.getUint32(at, true));
  }
  const open = written > sealedEnd ? entryAt(value, view, sealedEnd) : undefined;
  return { revision: word(WORD.revision), sealed, ...(open === undefined ? {} : { open }) };
}

/** The revision alone. */
export function journalRevision(value: Uint8Array): number {
  return new DataView(value.buffer, value.byteOffset).getUint32(4 * WORD.revision, true);
}

function entryAt(value: Uint8Array, view: DataView, at: number): JournalEntry {
  const text = Buffer.from(value.subarray(at + 4, at + 4 + view.getUint32(at, true))).toString('utf8');
  const entry: unknown = JSON.parse(text);
  if (typeof entry !== 'object' || entry === null || !('edits' in entry))
    throw new Error('a journal of another version');
  return entry as JournalEntry;
}

function spaceFor(bytes: number): number {
  return 4 + Math.ceil(bytes / 4) * 4;
}

export interface JournalWriter {
  readonly revision: number;
  /** Whether there is room for an entry of so many characters, whatever they are. */
  fits(characters: number): boolean;
  /** Writes an entry behind the sealed ones; one that was written and not sealed is forgotten. */
  write(entry: JournalEntry): void;
  /** The entry that was written is in force. */
  seal(): void;
}

/** Writes to the mapped value of a journal's map. */
export function journalWriter(bytes: Uint8Array): JournalWriter {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  const store = (at: number, value: number): void => {
    Atomics.store(words, at, value);
  };
  const advance = (): void => store(WORD.revision, words[WORD.revision]! + 1);
  return {
    get revision() {
      return words[WORD.revision]!;
    },
    // A character is three bytes at most.
    fits: (characters) => words[WORD.sealed]! + spaceFor(3 * characters) <= bytes.length,
    write(entry) {
      const text = Buffer.from(JSON.stringify(entry), 'utf8');
      const at = words[WORD.sealed]!;
      advance();
      store(WORD.written, at);
      words[at / 4] = text.length;
      bytes.set(text, at + 4);
      store(WORD.written, at + spaceFor(text.length));
      advance();
    },
    seal() {
      store(WORD.sealed, words[WORD.written]!);
      advance();
    },
  };
}
