/** Reading counters: what counting started from plus what the programs added, summed over the CPUs. */

import type { Counters, Ruleset } from '../rules/model.ts';
import { mapCounters } from './ruleset-counters.ts';
import type { FamilyState } from './state.ts';

/** Bytes of one counter: packets u64, bytes u64. */
const COUNTER_BYTES = 16;
const U64 = (1n << 64n) - 1n;

/** Counter `index` of the value of a counter map, summed over all CPUs. */
export function sumCounter(value: DataView, index: number, stride: number, cpus: number): Counters {
  let packets = 0n;
  let bytes = 0n;
  for (let cpu = 0; cpu < cpus; cpu++) {
    const at = cpu * stride + index * COUNTER_BYTES;
    packets += value.getBigUint64(at, true);
    bytes += value.getBigUint64(at + 8, true);
  }
  return { packets: packets & U64, bytes: bytes & U64 };
}

/**
 * The rule set of a family with live counters. `initial` is what its state's text says; tables that the kernel runs are
 * returned as they are.
 */
export function withLiveCounters(
  initial: Ruleset,
  state: Pick<FamilyState, 'tables' | 'counterStride' | 'cpus'>,
  value: Uint8Array,
): Ruleset {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const indexes = new Map<string, number>();
  for (const table of state.tables) {
    if (table.placement === 'kernel') continue;
    for (const chain of table.chains) {
      if (chain.policy !== undefined) indexes.set(`${table.name} ${chain.name} policy`, chain.policy);
      for (const [rule, index] of chain.rules.entries()) indexes.set(`${table.name} ${chain.name} ${rule}`, index);
    }
  }
  return mapCounters(initial, ({ table, chain, rule }, now) => {
    const index = indexes.get(`${table} ${chain} ${rule}`);
    if (index === undefined) return now;
    const live = sumCounter(view, index, state.counterStride, state.cpus);
    return { packets: (now.packets + live.packets) & U64, bytes: (now.bytes + live.bytes) & U64 };
  });
}
