/**
 * What is in force, as data that lies beside the programs in a pinned map: the rules as text, and how their counters are
 * found. It is written before the switch and never changed; what has changed since stands in a journal beside it (live/journal.ts).
 *
 * The value of the map: u32 length (little endian), then that many bytes of gzip of JSON, then gzip of the text of each family: most who
 * read a state do not ask for the rules.
 */

import { gunzipSync, gzipSync } from 'node:zlib';
import type { NamedMap } from '../codegen/netfilter/state/named-map.ts';
import type { Family, Hook, TableName } from '../packet/netfilter.ts';
import type { RejectWith } from '../policy/ir.ts';
import type { EarlyWish } from './early-devices.ts';
import type { HookBridge } from './effect-rules.ts';

export interface GenerationState {
  readonly version: 1;
  readonly generation: number;
  readonly families: { readonly [F in Family]?: FamilyState };
}

export interface FamilyState {
  /** The generation that made the programs and maps; later ones carry them over as they are. */
  readonly madeBy: number;
  /** Every table of the family as restore text; its counters are the values that counting started from. */
  readonly text: string;
  /** Only as it is written: bytes of the packed text; `text` is empty then. */
  readonly packed?: number;
  readonly tables: readonly TableState[];
  /** Bytes between the counters of two CPUs, and how many CPUs have counters. */
  readonly counterStride: number;
  readonly cpus: number;
  /** Names of the maps of this family that are pinned with the generation. */
  readonly maps: readonly string[];
  /** Lists and tables that its rules share by name, and their maps; absent: none. */
  readonly named?: readonly NamedMap[];
  readonly conntrack: boolean;
  readonly log: boolean;
  /** Devices that early programs are wanted on, as they were said; absent: none are. */
  readonly early?: EarlyWish;
  /** There are none, for these rules drop no packet early: the wish is for the next. */
  readonly earlyIdle?: true;
  /** What the numbers of its effects begin with; absent: it has none. */
  readonly effectBase?: number;
}

export type TableState =
  | {
      readonly placement: 'bpf';
      readonly name: TableName;
      readonly chains: readonly ChainState[];
      readonly hooks: readonly HookState[];
    }
  /** Loaded into the kernel by its own iptables. */
  | { readonly placement: 'kernel'; readonly name: TableName };

/** Positions in the family's counter map. */
export interface ChainState {
  readonly name: string;
  readonly policy?: number;
  readonly rules: readonly number[];
  /** Only as it is written: first and number of rules whose positions follow each other; `rules` is empty then. */
  readonly range?: readonly [from: number, count: number];
  /** A packet in this chain can reach a REJECT. */
  readonly bridge: boolean;
}

export interface HookState {
  readonly hook: Hook;
  /** Reject classes that the program can ask the bridge for. */
  readonly reject: readonly RejectWith[];
  /** What the kernel's own table carries out for it; absent: nothing. */
  readonly bridge?: HookBridge;
}

export function encodeState(state: GenerationState): Uint8Array {
  const texts: Uint8Array[] = [];
  const families = Object.entries(state.families).map(([family, { text, ...own }]) => {
    const packed = pack(text);
    texts.push(packed);
    return [family, { ...own, text: '', packed: packed.length }] as const;
  });
  const body = pack(JSON.stringify(withRanges({ ...state, families: Object.fromEntries(families) })));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length, 0);
  return Buffer.concat([length, body, ...texts]);
}

/** Level 1: half the time of the usual one, and hardly more bytes. */
function pack(text: string): Uint8Array {
  return gzipSync(text, { level: 1 });
}

/** Throws an Error when the bytes are not a state of a version that this program knows. The rules' texts are unpacked when they are asked for. */
export function decodeState(value: Uint8Array): GenerationState {
  const buffer = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const length = buffer.length < 4 ? 0 : buffer.readUInt32LE(0);
  let end = 4 + length;
  const parsed: unknown = JSON.parse(gunzipSync(buffer.subarray(4, end)).toString('utf8'));
  if (!isState(parsed)) throw new Error('the pinned state was written by another version of bpfilter');
  const state = withNumbers(parsed);
  const families = Object.entries(state.families).map(([family, { packed, ...own }]) => {
    if (packed === undefined) return [family, own] as const;
    const from = end;
    end += packed;
    return [family, withText(own, buffer.subarray(from, end))] as const;
  });
  return { ...state, families: Object.fromEntries(families) };
}

function withText(own: FamilyState, packed: Uint8Array): FamilyState {
  let text: string | undefined;
  return {
    ...own,
    get text() {
      text ??= gunzipSync(packed).toString('utf8');
      return text;
    },
  };
}

function withRanges(state: GenerationState): GenerationState {
  return mapChains(state, (chain) => {
    const [from] = chain.rules;
    if (from === undefined || !chain.rules.every((number, at) => number === from + at)) return chain;
    return { ...chain, rules: [], range: [from, chain.rules.length] };
  });
}

function withNumbers(state: GenerationState): GenerationState {
  return mapChains(state, ({ range, ...chain }) =>
    range === undefined ? chain : { ...chain, rules: numbersFrom(...range) },
  );
}

/** from, from + 1, ... */
export function numbersFrom(from: number, count: number): readonly number[] {
  const numbers = new Array<number>(count);
  for (let at = 0; at < count; at++) numbers[at] = from + at;
  return numbers;
}

function mapChains(state: GenerationState, change: (chain: ChainState) => ChainState): GenerationState {
  const families = Object.entries(state.families).map(([family, own]) => {
    const tables = own.tables.map((table) =>
      table.placement === 'bpf' ? { ...table, chains: table.chains.map(change) } : table,
    );
    return [family, { ...own, tables }] as const;
  });
  return { ...state, families: Object.fromEntries(families) };
}

function isState(value: unknown): value is GenerationState {
  return typeof value === 'object' && value !== null && 'version' in value && value.version === 1;
}

/** The same, and the tables whose rules the kernel carries effects out with. */
export function tablesInKernel(state: GenerationState | undefined, family: Family): readonly TableName[] {
  const tables = state?.families[family]?.tables ?? [];
  const bridged = (table: TableState): boolean =>
    table.placement === 'kernel' || table.hooks.some(({ bridge }) => bridge !== undefined);
  return tables.filter(bridged).map((table) => table.name);
}

/** Names of the family's tables that its generation loaded into the kernel. */
export function kernelTablesOf(state: GenerationState | undefined, family: Family): readonly TableName[] {
  const tables = state?.families[family]?.tables ?? [];
  return tables.filter((table) => table.placement === 'kernel').map((table) => table.name);
}
