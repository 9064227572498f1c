import { describe, expect, it } from 'vitest';
import {
  createHashlimitMemory,
  type HashlimitTable,
  hashlimitKey,
  hashlimitRates,
  sizedTable,
  useHashlimit,
} from './hashlimit.ts';

const HZ = 250;
const TABLE: HashlimitTable = {
  source: true,
  destination: false,
  sourcePort: false,
  destinationPort: true,
  sourceMask: 24,
  destinationMask: 32,
  bytes: false,
  rateMatch: false,
  average: 100_000,
  burst: 3,
  expire: 1000,
  collect: 1000,
  interval: 1,
  size: 16,
  max: 128,
};

function uses(table: HashlimitTable, times: readonly bigint[], length = 100): readonly (boolean | 'hotdrop')[] {
  const memory = createHashlimitMemory(table, HZ);
  return times.map((now) => useHashlimit(memory, 'x', length, now));
}

describe('hashlimit', () => {
  it('has the numbers that the kernel shows in /proc/net/ipt_hashlimit', () => {
    const hourly = hashlimitRates({ ...TABLE, average: 3_600_000_000, burst: 3 }, HZ);
    expect([hourly.perJiffy, hourly.fresh.b, hourly.cost]).toEqual([
      549_755_813_888n,
      1_484_340_692_400_000_000n,
      494_780_230_800_000_000n,
    ]);
    const bytes = hashlimitRates({ ...TABLE, bytes: true, average: 16_711_935, burst: 3 }, HZ);
    expect([bytes.fresh.a, bytes.fresh.b]).toEqual([4_194_304_000n, 3n]);
  });

  it('lets a burst pass, then the rate', () => {
    expect(uses(TABLE, [0n, 0n, 0n, 0n, 24n, 25n, 26n])).toEqual([true, true, true, false, false, true, false]);
  });

  it('fills an account of bytes up `burst` times', () => {
    const table = { ...TABLE, bytes: true, average: 0xffff_ffff / 64, burst: 1 };
    // A second's worth is 64 chunks of 16 bytes; 400 bytes are 26.
    expect(uses({ ...table, average: Math.floor(table.average) }, [0n, 0n, 0n, 0n, 0n], 400)).toEqual([
      true,
      true,
      true,
      true,
      false,
    ]);
  });

  it('counts in windows', () => {
    const table = { ...TABLE, rateMatch: true, average: 500_000, burst: 1, expire: 60_000 };
    expect(uses(table, [0n, 0n, 0n, 0n, 249n, 250n, 500n, 501n])).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
      true,
      true,
    ]);
  });

  it('drops what a full table has no room for, until something has expired', () => {
    const memory = createHashlimitMemory({ ...TABLE, max: 2 }, HZ);
    const use = (key: string, now: bigint): boolean | 'hotdrop' => useHashlimit(memory, key, 100, now);
    expect([use('a', 0n), use('b', 10n), use('c', 20n), use('a', 240n), use('c', 499n), use('c', 500n)]).toEqual([
      true,
      true,
      'hotdrop',
      true,
      'hotdrop',
      true,
    ]);
  });

  it('knows packets by what the table looks at', () => {
    const key = { saddr: 0x0a01_02ffn, daddr: 7n, sport: 1, dport: 2 };
    expect(hashlimitKey(TABLE, key, 32)).toBe('a010200 0 0 2');
    expect(hashlimitKey({ ...TABLE, sourceMask: 0 }, key, 32)).toBe('0 0 0 2');
  });

  it('has room for eight accounts in each bucket, at least one', () => {
    expect(sizedTable({ ...TABLE, size: 0, max: 0 }, 8192)).toMatchObject({ size: 8192, max: 65_536 });
    expect(sizedTable({ ...TABLE, size: 100, max: 3 }, 8192)).toMatchObject({ size: 100, max: 100 });
  });
});
