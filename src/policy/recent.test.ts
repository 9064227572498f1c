import { describe, expect, it } from 'vitest';
import {
  createRecentList,
  growRecentList,
  type RecentQuestion,
  recentJiffies,
  ringSize,
  useRecentList,
} from './recent.ts';

const HZ = 250;
const ALL = (1n << 128n) - 1n;
const ASK: RecentQuestion = { operation: 'set', seconds: 0, hits: 0, reap: false, ttl: false, invert: false };
const from = (address: bigint, now: bigint, ttl = 64) => ({ family: 'ipv4', address, ttl, now }) as const;

describe('a list of recently seen addresses', () => {
  it('is as long as rules want', () => {
    expect([0, 1, 5, 32, 33, 65_535].map((hits) => ringSize(hits, 0))).toEqual([32, 1, 8, 32, 64, 65_536]);
    expect([0, 5, 20, 40].map((hits) => ringSize(hits, 20))).toEqual([32, 32, 32, 64]);
    expect(recentJiffies(0xffff_ffff, HZ)).toBe(2 ** 32 - HZ);
  });

  it('counts hits within seconds', () => {
    const list = createRecentList(ALL, 4, 100);
    for (const now of [0n, 100n, 200n]) expect(useRecentList(list, ASK, from(1n, now), HZ)).toBe(true);
    const check = (now: bigint, seconds: number, hits: number): boolean =>
      useRecentList(list, { ...ASK, operation: 'rcheck', seconds, hits }, from(1n, now), HZ);
    expect([check(300n, 1, 2), check(350n, 1, 2), check(351n, 1, 2), check(5000n, 0, 3), check(5000n, 0, 4)]).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
  });

  it('forgets the address that was stored longest ago', () => {
    const list = createRecentList(ALL, 1, 2);
    for (const address of [1n, 2n, 1n, 3n]) useRecentList(list, ASK, from(address, 0n), HZ);
    expect([...list.entries.keys()]).toEqual(['ipv4 1', 'ipv4 3']);
  });

  it('update stores only what matched, inversion included', () => {
    const list = createRecentList(ALL, 8, 100);
    const update = { ...ASK, operation: 'update', hits: 3 } as const;
    useRecentList(list, ASK, from(1n, 0n), HZ);
    expect(useRecentList(list, update, from(1n, 1n), HZ)).toBe(false);
    expect(useRecentList(list, { ...update, invert: true }, from(1n, 2n), HZ)).toBe(true);
    expect(list.entries.get('ipv4 1')?.stamps).toEqual([0n, 2n]);
  });

  it('finds an address with its own time to live only, if asked to', () => {
    const list = createRecentList(ALL, 8, 100);
    const check = { ...ASK, operation: 'rcheck', ttl: true } as const;
    useRecentList(list, ASK, from(1n, 0n, 7), HZ);
    expect([7, 8, 0].map((ttl) => useRecentList(list, check, from(1n, 0n, ttl), HZ))).toEqual([true, false, true]);
  });

  it('reaps the oldest, but not what is about to be stored', () => {
    const list = createRecentList(ALL, 8, 100);
    const update = { ...ASK, operation: 'update', seconds: 1, reap: true } as const;
    useRecentList(list, ASK, from(1n, 0n), HZ);
    useRecentList(list, ASK, from(2n, 900n), HZ);
    expect(useRecentList(list, update, from(2n, 1000n), HZ)).toBe(true);
    expect([...list.entries.keys()]).toEqual(['ipv4 2']);
    expect(useRecentList(list, update, from(2n, 1000n), HZ)).toBe(true);
    expect([...list.entries.keys()]).toEqual(['ipv4 2']);
  });

  it('keeps families apart and masks both', () => {
    const list = createRecentList(0xffff_0000n << 96n, 8, 100);
    useRecentList(list, ASK, from(0x0a01_0203n, 0n), HZ);
    useRecentList(list, ASK, { ...from(0xfd01_0203n << 96n, 0n), family: 'ipv6' }, HZ);
    expect([...list.entries.keys()]).toEqual(['ipv4 a010000', `ipv6 fd01${'0'.repeat(28)}`]);
  });

  it('starts anew when it grows', () => {
    const list = createRecentList(ALL, 32, 100);
    useRecentList(list, ASK, from(1n, 0n), HZ);
    growRecentList(list, 8);
    expect([list.ring, list.entries.size]).toEqual([32, 1]);
    growRecentList(list, 64);
    expect([list.ring, list.entries.size]).toEqual([64, 0]);
  });
});
