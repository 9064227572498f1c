/** The memory of a table's stateful tests: one object per rule, shared by all hooks, fresh after every apply. */

import type { StatefulTest, StateObject, TablePolicy } from './ir.ts';
import { type LimitCredits, limitCredits, useCredit } from './limit.ts';
import type { PacketView } from './packet-view.ts';

export interface PolicyMemory {
  /** Indexed like `TablePolicy.states`; the members change as packets pass. */
  readonly states: readonly StateMemory[];
}

export type StateMemory =
  /** `previous`: jiffies of the last use, undefined before the first. */
  | { readonly kind: 'limit'; readonly limit: LimitCredits; credit: number; previous: bigint | undefined }
  | { readonly kind: 'nth'; readonly every: number; count: number };

/** Memory as it is right after an apply, on a kernel with `hz` timer ticks a second. */
export function createMemory(policy: Pick<TablePolicy, 'states'>, hz: number): PolicyMemory {
  return { states: policy.states.map((state) => freshState(state, hz)) };
}

function freshState(state: StateObject, hz: number): StateMemory {
  switch (state.kind) {
    case 'limit': {
      const limit = limitCredits(state, hz);
      return { kind: 'limit', limit, credit: limit.cap, previous: undefined };
    }
    case 'nth':
      return { kind: 'nth', every: state.every, count: state.packet };
  }
}

/** Runs a stateful test once and changes its memory. */
export function runStateful(test: StatefulTest, memory: PolicyMemory, packet: PacketView): boolean {
  if (test.kind === 'random') return (packet.random() & 0x7fff_ffff) < test.probability;
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
  }
}
