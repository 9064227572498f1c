/**
 * Looking into lists of `recent` and tables of `hashlimit`, and changing lists: what /proc/net/xt_recent and
 * /proc/net/ipt_hashlimit are for the kernel's own.
 */

import type { KernelFacts } from '../bpf/facts.ts';
import { compileGeneration } from '../codegen/compile.ts';
import type { NamedMap } from '../codegen/netfilter/state/named-map.ts';
import { readClocks } from '../kernel/clock.ts';
import { type BpfMap, createMap } from '../kernel/map.ts';
import { openPinnedMap } from '../kernel/object.ts';
import { loadProgram } from '../kernel/program.ts';
import { netfilterInput, testRun } from '../kernel/test-run.ts';
import { addressToBytes } from '../packet/address.ts';
import type { Family } from '../packet/netfilter.ts';
import type { TablePolicy } from '../policy/ir.ts';
import { type NamedTable, tableKey } from '../policy/named.ts';
import type { RecentOperation } from '../policy/recent.ts';
import { FirewallError } from './failure.ts';
import type { Layout } from './layout.ts';
import {
  decodeAccount,
  decodeRecentList,
  formatAccount,
  formatRecentlySeen,
  type RecentlySeen,
} from './named-values.ts';
import type { GenerationState } from './state.ts';
import { readStateInForce } from './store.ts';

/** Copies the value while its lock is held (BPF_F_LOCK). */
const LOCKED = 4n;

/** The lists, or tables, that the rules in force name. */
export function namesOf(layout: Layout, kind: NamedTable['kind']): readonly NamedMap[] {
  return inForce(readStateInForce(layout)).filter(({ table }) => table.kind === kind);
}

function inForce(state: GenerationState | undefined): readonly NamedMap[] {
  const all = Object.values(state?.families ?? {}).flatMap(({ named }) => named ?? []);
  return [...new Map(all.map((named) => [named.map, named])).values()];
}

function withMap<T>(layout: Layout, key: string, body: (map: BpfMap, named: NamedMap) => T): T {
  const state = readStateInForce(layout);
  const named = inForce(state).find(({ table }) => tableKey(table) === key);
  if (state === undefined || named === undefined) throw new FirewallError('failed', `no rule in force names ${key}`);
  const map = openPinnedMap(layout.namedMap(state.generation, named.map));
  try {
    return body(map, named);
  } finally {
    map.close();
  }
}

/** The addresses of a list, least recently stored first. @throws FirewallError when no rule names it. */
export function readRecentList(layout: Layout, name: string): readonly RecentlySeen[] {
  return withMap(layout, tableKey({ kind: 'recent', name }), listOf);
}

function listOf(map: BpfMap, { table }: NamedMap): readonly RecentlySeen[] {
  if (table.kind !== 'recent') return [];
  return decodeRecentList(map.lookup(new Uint8Array(map.keySize), LOCKED) ?? new Uint8Array(map.valueSize), table);
}

/** The lines of /proc/net/xt_recent/NAME, in the order of readRecentList. */
export function printRecentList(layout: Layout, name: string): string {
  return readRecentList(layout, name)
    .map((seen) => `${formatRecentlySeen(seen)}\n`)
    .join('');
}

/** The lines of /proc/net/ipt_hashlimit/NAME (IPv6: ip6t_hashlimit). @throws FirewallError when no rule names the table. */
export function printHashlimit(layout: Layout, family: Family, name: string, hz: number): string {
  return withMap(layout, tableKey({ kind: 'hashlimit', name, family }), (map, { table }) => {
    if (table.kind !== 'hashlimit') return '';
    const now = readClocks().jiffies;
    return map
      .keys()
      .flatMap((key) => {
        const value = map.lookup(key, LOCKED);
        const account = value && decodeAccount(key, value, table, now, hz);
        return account === undefined ? [] : [`${formatAccount(account, family, now, hz)}\n`];
      })
      .join('');
  });
}

export type RecentChange =
  | { readonly kind: 'add' | 'remove'; readonly family: Family; readonly address: bigint }
  | { readonly kind: 'flush' };

/**
 * Stores or removes an address as a packet from it would, without the list's mask; or empties the list.
 * @throws FirewallError when no rule names the list.
 */
export function changeRecentList(layout: Layout, name: string, change: RecentChange, facts: KernelFacts): void {
  withMap(layout, tableKey({ kind: 'recent', name }), (map, named) => {
    const entries = listOf(map, named);
    if (change.kind !== 'flush') {
      // What is there keeps its time to live; what is new matches any.
      const known = entries.find((entry) => entry.family === change.family && entry.address === change.address);
      const operation = change.kind === 'add' ? 'set' : 'remove';
      sendFrom(change.family, change.address, known?.ttl ?? 0, operation, map, named, facts);
      return;
    }
    for (const { family, address } of entries) sendFrom(family, address, 0, 'remove', map, named, facts);
  });
}

/** Runs one rule on a packet from the address: all of it happens under the list's lock, like any packet's. */
function sendFrom(
  family: Family,
  address: bigint,
  ttl: number,
  operation: RecentOperation,
  map: BpfMap,
  { table }: NamedMap,
  facts: KernelFacts,
): void {
  const whole = { ...table, mask: 'f'.repeat(32) } as NamedTable;
  const { generation } = compileGeneration({
    policies: [policyOf(family, table.name, operation)],
    facts,
    named: [whole],
  });
  const hook = generation?.hooks[0];
  if (generation === undefined || hook === undefined) throw new FirewallError('failed', 'the list cannot be changed');
  const maps = new Map<string, BpfMap>([[generation.named[0]!.map, map]]);
  const own: BpfMap[] = [];
  try {
    for (const spec of generation.maps) {
      if (maps.has(spec.name)) continue;
      const created = createMap(spec);
      own.push(created);
      maps.set(spec.name, created);
    }
    const program = loadProgram(hook.program, maps);
    try {
      testRun(program, netfilterInput(family, 'INPUT', packetFrom(family, address, ttl)));
    } finally {
      program.close();
    }
  } finally {
    for (const created of own) created.close();
  }
}

function packetFrom(family: Family, address: bigint, ttl: number): Uint8Array {
  const bytes = new Uint8Array(40);
  bytes[0] = family === 'ipv4' ? 0x45 : 0x60;
  bytes[family === 'ipv4' ? 8 : 7] = ttl;
  if (family === 'ipv4') bytes[3] = bytes.length;
  bytes.set(addressToBytes(address, family), family === 'ipv4' ? 12 : 8);
  return bytes;
}

function policyOf(family: Family, list: string, operation: RecentOperation): TablePolicy {
  const question = { operation, seconds: 0, hits: 0, reap: false, ttl: false, invert: false } as const;
  const test = { kind: 'recent', state: 0, side: 'source', question } as const;
  const rule = {
    conditions: [{ kind: 'stateful', test, invert: false }],
    action: { kind: 'continue' },
    counter: 0,
    provenance: { chain: 'INPUT', rule: 1 },
  } as const;
  return {
    family,
    table: 'filter',
    chains: [{ name: 'INPUT', base: { hook: 'INPUT', policy: 'accept', counter: 1 }, rules: [rule] }],
    states: [{ kind: 'recent', list, mask: (1n << 128n) - 1n, hits: 0 }],
    logs: [],
    counters: 2,
    conntrack: false,
  };
}
