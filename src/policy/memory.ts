/** The memory of a table's stateful tests: one object per rule, shared by all hooks, fresh after every apply; what has a name is shared. */

import type { Family } from '../packet/netfilter.ts';
import { createHashlimitMemory, type HashlimitMemory } from './hashlimit.ts';
import type { StatefulTest, StateObject, TablePolicy } from './ir.ts';
import { type LimitCredits, limitCredits, useCredit } from './limit.ts';
import { askedTable, type NamedFacts, tableKey, USUAL_NAMED_FACTS } from './named.ts';
import { runHashlimit, runRecent } from './named-tests.ts';
import type { PacketView } from './packet-view.ts';
import { createRecentList, growRecentList, type RecentList } from './recent.ts';

export interface PolicyMemory {
  /** Indexed like `TablePolicy.states`; the members change as packets pass. */
  readonly states: readonly StateMemory[];
  readonly hz: number;
}

export type StateMemory =
  /** `previous`: jiffies of the last use, undefined before the first. */
  | { readonly kind: 'limit'; readonly limit: LimitCredits; credit: number; previous: bigint | undefined }
  | { readonly kind: 'nth'; readonly every: number; count: number }
  | { readonly kind: 'quota'; bytes: bigint }
  | { readonly kind: 'recent'; readonly list: RecentList }
  | { readonly kind: 'hashlimit'; readonly table: HashlimitMemory };

/** Lists and tables by their key (tableKey): those of one network namespace. */
export type NamedMemory = Map<string, RecentList | HashlimitMemory>;

/**
 * Memory as it is right after an apply, on a kernel with `hz` timer ticks a second. Policies that share `named` share what has
 * a name; the first makes it.
 */
export function createMemory(
  policy: Pick<TablePolicy, 'states'> & { readonly family?: Family },
  hz: number,
  named: NamedMemory = new Map(),
  facts: NamedFacts = USUAL_NAMED_FACTS,
): PolicyMemory {
  const fresh = { family: policy.family ?? 'ipv4', hz, named, facts };
  return { states: policy.states.map((state) => freshState(state, fresh)), hz };
}

interface Fresh {
  readonly family: Family;
  readonly hz: number;
  readonly named: NamedMemory;
  readonly facts: NamedFacts;
}

function freshState(state: StateObject, fresh: Fresh): StateMemory {
  switch (state.kind) {
    case 'limit': {
      const limit = limitCredits(state, fresh.hz);
      return { kind: 'limit', limit, credit: limit.cap, previous: undefined };
    }
    case 'nth':
      return { kind: 'nth', every: state.every, count: state.packet };
    case 'quota':
      return { kind: 'quota', bytes: state.bytes };
    case 'recent':
    case 'hashlimit':
      return namedState(state, fresh);
  }
}

/** The table of that name, made by this rule if it is the first. */
function namedState(state: StateObject & { kind: 'recent' | 'hashlimit' }, fresh: Fresh): StateMemory {
  const asked = askedTable(state, fresh.family, fresh.facts)!;
  const key = tableKey(asked);
  const found = fresh.named.get(key);
  if (asked.kind === 'recent') {
    const list =
      found !== undefined && 'entries' in found
        ? found
        : createRecentList(BigInt(`0x${asked.mask}`), asked.ring, asked.entries);
    growRecentList(list, asked.ring);
    fresh.named.set(key, list);
    return { kind: 'recent', list };
  }
  const table = found !== undefined && 'accounts' in found ? found : createHashlimitMemory(asked.table, fresh.hz);
  fresh.named.set(key, table);
  return { kind: 'hashlimit', table };
}

/** Runs a stateful test once and changes its memory. */
export function runStateful(test: StatefulTest, memory: PolicyMemory, packet: PacketView): boolean | 'hotdrop' {
  if (test.kind === 'random') return (packet.random() & 0x7fff_ffff) < test.probability;
  if (test.kind === 'staged') return ((packet.staged ?? 0n) >> BigInt(test.question)) % 2n === 1n;
  const state = memory.states[test.state];
  if (state?.kind !== test.kind) throw new Error(`state ${test.state} is not of kind ${test.kind}`);
  switch (state.kind) {
    case 'limit': {
      const use = useCredit(state.credit, packet.now - (state.previous ?? packet.now), state.limit);
      state.credit = use.credit;
      state.previous = packet.now;
      return use.matches;
    }
    case 'nth':
      state.count = state.count === state.every ? 0 : state.count + 1;
      return state.count === 0;
    case 'quota': {
      const length = BigInt(packet.skbLength);
      const enough = state.bytes >= length;
      state.bytes = enough ? state.bytes - length : 0n;
      return enough;
    }
    case 'recent':
      return test.kind === 'recent' && runRecent(test, state.list, packet, memory.hz);
    case 'hashlimit':
      return test.kind === 'hashlimit' && runHashlimit(test, state.table, packet);
  }
}
