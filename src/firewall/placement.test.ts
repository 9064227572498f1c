import { describe, expect, it } from 'vitest';
import { type Rule, type Table, type Target, ZERO_COUNTERS } from '../rules/model.ts';
import { placements } from './placement.ts';

const rule = (target: Target): Rule => ({ ip: {}, matches: [], target, counters: ZERO_COUNTERS });
const REJECT: Target = { kind: 'extension', name: 'REJECT', options: {} };
const chain = (name: string, targets: readonly Target[]) => ({
  name,
  counters: ZERO_COUNTERS,
  rules: targets.map(rule),
});

const filter: Table = {
  name: 'filter',
  chains: [
    chain('INPUT', [{ kind: 'jump', chain: 'a' }]),
    chain('OUTPUT', [{ kind: 'jump', chain: 'c' }]),
    chain('a', [{ kind: 'goto', chain: 'b' }]),
    chain('b', [REJECT, { kind: 'none' }]),
    chain('c', [{ kind: 'verdict', verdict: 'DROP' }]),
  ],
};
const nat: Table = { name: 'nat', chains: [chain('PREROUTING', [])] };

describe('placement of chains', () => {
  it('says bridge for every chain from which a REJECT can be reached', () => {
    const shown = placements({ family: 'ipv4', tables: [filter, nat] }, ['nat']).map(
      (item) => `${item.table} ${item.chain} ${item.placement} ${item.rules}`,
    );
    expect(shown).toEqual([
      'filter INPUT bpf+bridge 1',
      'filter OUTPUT bpf 1',
      'filter a bpf+bridge 1',
      'filter b bpf+bridge 2',
      'filter c bpf 1',
      'nat PREROUTING kernel 0',
    ]);
  });
});
