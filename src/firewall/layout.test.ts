import { describe, expect, it } from 'vitest';
import {
  generationOf,
  HOOK_POINTS,
  layoutOf,
  PERSISTENT_MAPS,
  PROGS_MAP,
  pointName,
  pointOf,
  progIndex,
  samePoint,
  slotOf,
} from './layout.ts';

describe('slots', () => {
  it('are fixed: changing them would let an old stub call another hook’s program', () => {
    const named = HOOK_POINTS.map((point) => `${slotOf(point)} ${pointName(point)}`);
    expect(named.slice(0, 3)).toEqual(['0 ipv4-raw-PREROUTING', '1 ipv4-raw-OUTPUT', '2 ipv4-mangle-PREROUTING']);
    expect(named).toContain('11 ipv4-filter-INPUT');
    expect(named).toContain('30 ipv6-filter-OUTPUT');
    expect(named).toHaveLength(34);
  });

  it('have two elements each, one for even and one for odd generations', () => {
    expect([progIndex(11, 1), progIndex(11, 2), progIndex(11, 3)]).toEqual([23, 22, 23]);
    const progs = PERSISTENT_MAPS.find((map) => map.name === PROGS_MAP);
    expect(progs?.maxEntries).toBe(68);
  });

  it('refuses a hook that the table has no chain on', () => {
    expect(() => slotOf({ family: 'ipv4', table: 'raw', hook: 'INPUT' })).toThrow('no chain INPUT');
  });
});

describe('pin names', () => {
  it('go there and back', () => {
    for (const point of HOOK_POINTS) expect(samePoint(pointOf(pointName(point))!, point)).toBe(true);
    for (const name of ['ipv4-bf_counters', 'state', 'ipv5-filter-INPUT', 'ipv4-filter-INPUT-x', '']) {
      expect(pointOf(name)).toBeUndefined();
    }
  });

  it('have no dots, which bpffs reserves', () => {
    const layout = layoutOf('/bpf', 4711n);
    const point = HOOK_POINTS[0]!;
    const paths = [layout.stub(point), layout.guard(point), layout.state(7), layout.program(7, point), layout.undo(7)];
    expect(paths).toEqual([
      '/bpf/bpfilter/4711/stubs/ipv4-raw-PREROUTING',
      '/bpf/bpfilter/4711/guards/ipv4-raw-PREROUTING',
      '/bpf/bpfilter/4711/gen-7/state',
      '/bpf/bpfilter/4711/gen-7/ipv4-raw-PREROUTING',
      '/bpf/bpfilter/4711/gen-7/undo',
    ]);
    expect([...paths, layout.generationMap(7, 'ipv6', 'bf_counters')].join('')).not.toContain('.');
  });

  it('knows generation directories', () => {
    expect(['gen-1', 'gen-12', 'gen-0', 'gen-01', 'gen-', 'gen-x', 'stubs'].map(generationOf)).toEqual([
      1,
      12,
      ...Array<undefined>(5).fill(undefined),
    ]);
  });
});
