import { describe, expect, it } from 'vitest';
import { needsOf } from './needs.ts';
import { decodeState, encodeState, type FamilyState, type GenerationState, kernelTablesOf } from './state.ts';

const FAMILY: FamilyState = {
  madeBy: 3,
  text: '*filter\nCOMMIT\n',
  tables: [
    {
      placement: 'bpf',
      name: 'filter',
      chains: [
        { name: 'INPUT', policy: 1, rules: [0], bridge: true },
        { name: 'FOLLOWING', rules: [2, 3, 4], bridge: false },
        { name: 'APART', rules: [5, 7], bridge: false },
        { name: 'EMPTY', rules: [], bridge: false },
      ],
      hooks: [
        { hook: 'INPUT', reject: ['tcp-reset'] },
        { hook: 'FORWARD', reject: [] },
      ],
    },
    { placement: 'kernel', name: 'nat' },
  ],
  counterStride: 64,
  cpus: 2,
  maps: ['bf_counters'],
  conntrack: true,
  log: false,
};
const STATE: GenerationState = { version: 1, generation: 4, families: { ipv6: FAMILY } };

describe('the pinned state', () => {
  it('is read back as it was written, also from a longer value', () => {
    const bytes = encodeState(STATE);
    expect(decodeState(bytes)).toEqual(STATE);
    const both: GenerationState = { ...STATE, families: { ipv4: { ...FAMILY, text: '*raw\nCOMMIT\n' }, ipv6: FAMILY } };
    expect(decodeState(encodeState(decodeState(encodeState(both))))).toEqual(both);
    expect(decodeState(Uint8Array.of(...bytes, 0, 0, 0))).toEqual(STATE);
  });

  it('refuses what it does not know', () => {
    expect(() => decodeState(new Uint8Array(3))).toThrow();
    expect(() => decodeState(encodeState({ ...STATE, version: 2 } as unknown as GenerationState))).toThrow(
      'another version',
    );
  });

  it('names the tables that the kernel runs', () => {
    expect(kernelTablesOf(STATE, 'ipv6')).toEqual(['nat']);
    expect(kernelTablesOf(STATE, 'ipv4')).toEqual([]);
    expect(kernelTablesOf(undefined, 'ipv4')).toEqual([]);
  });
});

describe('needs', () => {
  it('follow from the state', () => {
    expect(needsOf(STATE)).toEqual({
      points: [
        { family: 'ipv6', table: 'filter', hook: 'INPUT' },
        { family: 'ipv6', table: 'filter', hook: 'FORWARD' },
      ],
      rejecting: [{ family: 'ipv6', table: 'filter', hook: 'INPUT' }],
      guarded: [{ family: 'ipv6', table: 'filter', hook: 'INPUT' }],
      conntrack: ['ipv6'],
    });
    expect(needsOf(undefined)).toEqual({ points: [], rejecting: [], guarded: [], conntrack: [] });
  });
});
