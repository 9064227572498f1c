import { describe, expect, it } from 'vitest';
import { type Ruleset, ZERO_COUNTERS } from '../rules/model.ts';
import { sumCounter, withLiveCounters } from './counters.ts';
import type { FamilyState } from './state.ts';

const STRIDE = 64;

/** Two CPUs: counter i has packets 10 * cpu + i and bytes 100 times that. */
function value(): Uint8Array {
  const bytes = new Uint8Array(2 * STRIDE);
  const view = new DataView(bytes.buffer);
  for (const cpu of [0, 1]) {
    for (const index of [0, 1, 2]) {
      view.setBigUint64(cpu * STRIDE + index * 16, BigInt(10 * cpu + index), true);
      view.setBigUint64(cpu * STRIDE + index * 16 + 8, BigInt(100 * (10 * cpu + index)), true);
    }
  }
  return bytes;
}

const rule = (packets: bigint) => ({
  ip: {},
  matches: [],
  target: { kind: 'none' as const },
  counters: { packets, bytes: 0n },
});
const RULES: Ruleset = {
  family: 'ipv4',
  tables: [
    {
      name: 'filter',
      chains: [
        { name: 'INPUT', policy: 'ACCEPT', counters: { packets: 7n, bytes: 1n }, rules: [rule(5n)] },
        { name: 'user', counters: ZERO_COUNTERS, rules: [rule((1n << 64n) - 1n)] },
      ],
    },
    { name: 'nat', chains: [{ name: 'OUTPUT', policy: 'ACCEPT', counters: { packets: 3n, bytes: 4n }, rules: [] }] },
  ],
};
const STATE: FamilyState = {
  madeBy: 1,
  text: '',
  tables: [
    {
      placement: 'bpf',
      name: 'filter',
      chains: [
        { name: 'INPUT', policy: 1, rules: [0], bridge: false },
        { name: 'user', rules: [2], bridge: false },
      ],
      hooks: [],
    },
    { placement: 'kernel', name: 'nat' },
  ],
  counterStride: STRIDE,
  cpus: 2,
  maps: ['bf_counters'],
  conntrack: false,
  log: false,
};

describe('counters', () => {
  it('are summed over the CPUs', () => {
    expect(sumCounter(new DataView(value().buffer), 2, STRIDE, 2)).toEqual({ packets: 14n, bytes: 1400n });
  });

  it('are added to what counting started from, modulo 2^64; kernel tables are left alone', () => {
    const live = withLiveCounters(RULES, STATE, value());
    const [filter, nat] = live.tables;
    expect(filter?.chains[0]?.counters).toEqual({ packets: 19n, bytes: 1201n });
    expect(filter?.chains[0]?.rules[0]?.counters).toEqual({ packets: 15n, bytes: 1000n });
    expect(filter?.chains[1]?.counters).toEqual(ZERO_COUNTERS);
    expect(filter?.chains[1]?.rules[0]?.counters).toEqual({ packets: 13n, bytes: 1400n });
    expect(nat).toEqual(RULES.tables[1]);
  });
});
