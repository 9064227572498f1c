import { describe, expect, it } from 'vitest';
import { all, between, equals, FALSE, masked, not, TRUE } from '../../policy/expr.ts';
import { assume, ORDINARY, trackOddity } from './assume.ts';

const known = ORDINARY.ipv4;

describe('what is known of ordinary packets', () => {
  it('decides tests of fragments and short headers', () => {
    expect(assume(equals('ip.fragOffset', 0), known)).toEqual(TRUE);
    expect(assume(equals('ip.fragOffset', 1), known)).toEqual(FALSE);
    expect(assume(masked('ip.fragOffset', 0, 1), known)).toEqual(TRUE);
    expect(assume(between('transport.length', 0, 19), known)).toEqual(FALSE);
    expect(assume(not(between('transport.length', 0, 7)), known)).toEqual(TRUE);
  });

  it('leaves open what it does not decide', () => {
    const longer = between('transport.length', 0, 39);
    expect(assume(longer, known)).toEqual(longer);
    const bit = masked('transport.length', 0, 1);
    expect(assume(bit, known)).toEqual(bit);
  });

  it('folds inside of larger expressions', () => {
    const port = equals('transport.dport', 22);
    expect(assume(all(equals('ip.fragOffset', 0), port), known)).toEqual(port);
    expect(assume(all(not(equals('ip.fragOffset', 0)), port), known)).toEqual(FALSE);
  });
});

describe('the oddity of a packet', () => {
  it('is excluded once no later fragment and no short header is left', () => {
    const tracker = trackOddity('ipv4');
    tracker.learn(equals('ip.protocol', 6), true);
    tracker.learn(equals('ip.fragOffset', 0), true);
    expect(tracker.impossible()).toBe(false);
    tracker.learn(between('transport.length', 0, 7), false);
    expect(tracker.impossible()).toBe(false);
    tracker.learn(between('transport.length', 0, 19), false);
    expect(tracker.impossible()).toBe(true);
  });

  it('includes a broken header chain for IPv6', () => {
    const tracker = trackOddity('ipv6');
    tracker.learn(equals('ip6.fragOffset', 0), true);
    tracker.learn(between('transport.length', 0, 19), false);
    expect(tracker.impossible()).toBe(false);
    tracker.learn(equals('ip6.chain', 1), false);
    expect(tracker.impossible()).toBe(true);
  });
});
