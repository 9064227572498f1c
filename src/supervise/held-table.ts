/**
 * A table that runs as programs, as its clients see it: entries with the counters of now. It is made from the rules in force once and then follows
 * every change, so that an answer takes no longer than copying it.
 */

import { readEntries } from '../abi/entries.ts';
import { difference, type EntryList, type EntryRole, listEntries, rolesOf } from '../abi/entry-list.ts';
import { COUNTER_BYTES, ENTRY, INFO_BYTES, type TableBlob } from '../abi/format.ts';
import { indexEntries, reachedFrom } from '../abi/reach.ts';
import { type Family, HOOKS, TABLE_HOOKS, type TableName } from '../packet/netfilter.ts';
import type { Counters } from '../rules/model.ts';
import type { CounterStrides } from './counter-strides.ts';

interface Place {
  readonly role: EntryRole;
  readonly chain: string;
}

/** Rules of one chain that came and went: entries from..to) of the table have given way to from..newTo) of the new one. */
export interface ChainChange {
  readonly chain: string;
  /** Position of the first of them in its chain. */
  readonly at: number;
  readonly gone: number;
  readonly from: number;
  readonly added: readonly { readonly bytes: Uint8Array; readonly offset: number }[];
  /** Bits of the hooks that reach them. */
  readonly reached: number;
}

export type TableChange = 'none' | 'other' | ChainChange;

/** `slotOf` gives the place of a counter, -1 for entries that have none. */
export type SlotOf = (chain: string, rule: number | 'policy') => number;

export class HeldTable {
  readonly name: TableName;
  readonly family: Family;
  readonly #counters: CounterStrides;
  #blob: TableBlob;
  #list: EntryList;
  #places: readonly Place[];
  #slots: number[];
  /** What counting started from; absent: zero. */
  #starts: (Counters | undefined)[];

  /** `blob`: the entries with the counters that counting started from. */
  constructor(blob: TableBlob, name: TableName, family: Family, slotOf: SlotOf, counters: CounterStrides) {
    this.name = name;
    this.family = family;
    this.#counters = counters;
    const bytes = Buffer.from(blob.entries);
    this.#blob = { ...blob, entries: bytes };
    this.#list = listOf(bytes, family);
    this.#places = placesOf(this.#list, blob, name)!;
    const position = new Map<string, number>();
    this.#slots = this.#places.map(({ role, chain }) => {
      if (role === 'policy') return slotOf(chain, 'policy');
      if (role !== 'rule') return -1;
      const at = position.get(chain) ?? 0;
      position.set(chain, at + 1);
      return slotOf(chain, at);
    });
    const format = ENTRY[family];
    this.#starts = this.#list.offsets.map((at) => {
      const packets = bytes.readBigUInt64LE(at + format.counters);
      const count = bytes.readBigUInt64LE(at + format.counters + 8);
      bytes.fill(0, at + format.counters, at + format.counters + COUNTER_BYTES);
      return packets === 0n && count === 0n ? undefined : { packets, bytes: count };
    });
    this.#writeReached();
  }

  get entryCount(): number {
    return this.#list.offsets.length;
  }

  /** Bytes of the entries. */
  get size(): number {
    return this.#list.bytes.length;
  }

  /** What GET_INFO answers. */
  info(): Uint8Array {
    const bytes = Buffer.alloc(INFO_BYTES);
    bytes.write(this.name, 'latin1');
    bytes.writeUInt32LE(this.#blob.validHooks, 32);
    for (const hook of HOOKS.keys()) {
      bytes.writeUInt32LE(this.#blob.hookEntry[hook] ?? 0, 36 + 4 * hook);
      bytes.writeUInt32LE(this.#blob.underflow[hook] ?? 0, 56 + 4 * hook);
    }
    bytes.writeUInt32LE(this.entryCount, 76);
    bytes.writeUInt32LE(this.size, 80);
    return bytes;
  }

  /** The entries with the counters of now. */
  entries(): Uint8Array {
    const bytes = Buffer.from(this.#list.bytes);
    const { counters } = ENTRY[this.family];
    for (const [index, at] of this.#list.offsets.entries()) {
      const now = this.#counterOf(index);
      if (now === NOTHING) continue;
      bytes.writeBigUInt64LE(now.packets, at + counters);
      bytes.writeBigUInt64LE(now.bytes, at + counters + 8);
    }
    return bytes;
  }

  /** The whole table with the counters of now. */
  readonly blob = (): TableBlob => ({
    ...this.#blob,
    name: this.name,
    numEntries: this.entryCount,
    entries: this.entries(),
  });

  #counterOf(index: number): Counters {
    const slot = this.#slots[index]!;
    const start = this.#starts[index];
    if (slot < 0 || (start === undefined && this.#counters.isZero(slot))) return NOTHING;
    const { packets, bytes } = this.#counters.sum(slot);
    return {
      packets: BigInt.asUintN(64, packets + (start?.packets ?? 0n)),
      bytes: BigInt.asUintN(64, bytes + (start?.bytes ?? 0n)),
    };
  }

  /** All counters as REPLACE gives them back; and from now on they are zero. */
  takeCounters(): Uint8Array {
    // Not from the pool: its beginning is aligned.
    const old = Buffer.from(new ArrayBuffer(COUNTER_BYTES * this.entryCount));
    for (let index = 0; index < this.entryCount; index++) {
      const now = this.#counterOf(index);
      if (now === NOTHING) continue;
      old.writeBigUInt64LE(now.packets, COUNTER_BYTES * index);
      old.writeBigUInt64LE(now.bytes, COUNTER_BYTES * index + 8);
      this.#counters.add(this.#slots[index]!, -now.packets, -now.bytes);
    }
    return old;
  }

  /** Adds pairs of counters, one for each entry; they begin at a multiple of 8. */
  addCounters(pairs: Uint8Array): void {
    const halves = new Uint32Array(pairs.buffer, pairs.byteOffset, pairs.length >>> 2);
    const words = new BigUint64Array(pairs.buffer, pairs.byteOffset, pairs.length >>> 3);
    for (let index = 0, at = 0; index < this.entryCount; index++, at += 4) {
      const slot = this.#slots[index]!;
      const any = (halves[at]! | halves[at + 1]! | halves[at + 2]! | halves[at + 3]!) !== 0;
      if (any && slot >= 0) this.#counters.add(slot, words[2 * index]!, words[2 * index + 1]!);
    }
  }

  /** What a table that a client sends would change. */
  compare(blob: TableBlob): TableChange {
    const now = listEntries(asBuffer(blob.entries), this.family);
    if (now === undefined || blob.numEntries !== now.offsets.length) return 'other';
    if (blob.validHooks !== this.#blob.validHooks || placesOf(now, blob, this.name) === undefined) return 'other';
    const { from, to, newTo } = difference(this.#list, now);
    if (from === to && from === newTo) return 'none';
    const next = this.#places[from];
    const chain = next?.chain ?? '';
    const inside = this.#places.slice(from, to).every((place) => place.role === 'rule' && place.chain === chain);
    if (!inside || next === undefined || !(next.role === 'rule' || next.role === 'policy' || next.role === 'tail'))
      return 'other';
    const added = now.offsets.slice(from, newTo).map((offset, index) => {
      const end = now.offsets[from + index + 1] ?? now.bytes.length;
      return { bytes: now.bytes.subarray(offset, end), offset };
    });
    const at = this.#places.slice(0, from).filter((place) => place.chain === chain && place.role === 'rule').length;
    return { chain, at, gone: to - from, from, added, reached: this.#reached(this.#list, from) };
  }

  /** Follows a change that has been made, and keeps the blob: `slots` are the places of the counters of the rules that are new, which are zero. */
  follow(blob: TableBlob, { from, gone, added, chain, reached }: ChainChange, slots: readonly number[]): void {
    const bytes = asBuffer(blob.entries);
    const old = this.#list;
    const list = listOf(bytes, this.family);
    const { counters } = ENTRY[this.family];
    const places = [...this.#places];
    places.splice(from, gone, ...added.map((): Place => ({ role: 'rule', chain })));
    this.#slots.splice(from, gone, ...slots);
    this.#starts.splice(from, gone, ...slots.map(() => undefined));
    for (const [index, offset] of list.offsets.entries()) {
      const before = index < from ? index : index - added.length + gone;
      const bits = index >= from && index < from + added.length ? reached : this.#reached(old, before);
      bytes.writeUInt32LE(bits, offset + comefromAt(this.family));
      bytes.fill(0, offset + counters, offset + counters + COUNTER_BYTES);
    }
    this.#blob = { ...blob, name: this.name, entries: bytes };
    this.#list = list;
    this.#places = places;
  }

  #reached({ bytes, offsets }: EntryList, index: number): number {
    return bytes.readUInt32LE(offsets[index]! + comefromAt(this.family));
  }

  /** As the kernel does, each entry says which hooks reach it. */
  #writeReached(): void {
    const { bytes, offsets } = this.#list;
    const entries = readEntries(this.#blob, this.family);
    const reached = reachedFrom(this.#blob, entries, indexEntries(entries));
    for (const [index, offset] of offsets.entries())
      bytes.writeUInt32LE(reached[index]!, offset + comefromAt(this.family));
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

const NOTHING: Counters = { packets: 0n, bytes: 0n };

/** `comefrom` follows the two offsets. */
function comefromAt(family: Family): number {
  return ENTRY[family].nextOffset + 2;
}

function listOf(bytes: Buffer, family: Family): EntryList {
  const list = listEntries(bytes, family);
  if (list === undefined) throw new RangeError('these entries do not lie one behind the other');
  return list;
}

function placesOf(
  list: EntryList,
  { hookEntry, underflow }: Pick<TableBlob, 'hookEntry' | 'underflow'>,
  table: TableName,
): readonly Place[] | undefined {
  const hooks: readonly string[] = TABLE_HOOKS[table].hooks;
  const bases = new Map(
    HOOKS.flatMap((hook, number): [number, string][] => (hooks.includes(hook) ? [[number, hook]] : [])),
  );
  return rolesOf(list, hookEntry, underflow, bases);
}
