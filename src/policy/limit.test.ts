import { describe, expect, test } from 'vitest';
import { creditsPerJiffy, limitCredits, limitOverflows, useCredit, userToCredits } from './limit.ts';

const SECOND = 10_000;

describe('xt_limit', () => {
  test.each([
    [100, 256],
    [250, 128],
    [1000, 32],
  ])('credits per jiffy at HZ %i', (hz, credits) => {
    expect(creditsPerJiffy(hz)).toBe(credits);
  });

  test('5/s, burst 5 at HZ 250', () => {
    expect(limitCredits({ avg: SECOND / 5, burst: 5 }, 250)).toEqual({ cost: 6400, cap: 32000, perJiffy: 128 });
  });

  test('large rates divide before they multiply', () => {
    // 134217 is the largest number whose product with 32000 fits 32 bits.
    expect(userToCredits(134_217, 250)).toBe(Math.floor((134_217 * 32_000) / SECOND));
    expect(userToCredits(134_218, 250)).toBe(13 * 32_000);
    expect(userToCredits(86_400 * SECOND, 250)).toBe(86_400 * 32_000);
  });

  // Measured with iptables-legacy on a kernel of HZ 250: these two are refused with "Overflow, try lower".
  test.each([
    [43_200, 4, true],
    [86_400, 5, true],
    [86_400, 1, false],
    [3600, 9, false],
    [1, 0, true],
  ])('one every %i s, burst %i: overflow %s', (seconds, burst, overflows) => {
    expect(limitOverflows({ avg: seconds * SECOND, burst }, 250)).toBe(overflows);
  });

  test('credit is earned by time, capped, and paid', () => {
    const limit = { cost: 6400, cap: 32000, perJiffy: 128 };
    expect(useCredit(32000, 0n, limit)).toEqual({ credit: 25600, matches: true });
    expect(useCredit(6399, 0n, limit)).toEqual({ credit: 6399, matches: false });
    expect(useCredit(6272, 1n, limit)).toEqual({ credit: 0, matches: true });
    expect(useCredit(0, 100_000n, limit)).toEqual({ credit: 25600, matches: true });
  });

  test('more than 32 bits of credit wrap before the cap', () => {
    const limit = { cost: 6400, cap: 32000, perJiffy: 128 };
    const wrap = 2n ** 32n / 128n;
    expect(useCredit(0, wrap + 10n, limit)).toEqual({ credit: 1280, matches: false });
  });
});
