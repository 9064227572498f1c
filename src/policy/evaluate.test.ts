import { describe, expect, test } from 'vitest';
import { answer, evaluateAll, four, syn } from '../../test/generate/answers.ts';
import { icmp, raw, truncated, udp } from '../packet/transport.ts';

describe('the walk', () => {
  test('jump, return at every depth, end of chain, policy', () => {
    const lines = [
      ':INPUT DROP',
      ':a -',
      ':b -',
      ':c -',
      '-A INPUT -j a',
      '-A INPUT -p udp -j ACCEPT',
      '-A a -j b',
      '-A a -p icmp -j RETURN',
      '-A a -p tcp -j ACCEPT',
      '-A b -p udp -j RETURN',
      '-A b -j c',
      '-A c -j RETURN',
      '-A c -j DROP',
    ];
    const results = evaluateAll(lines, [four(udp()), four(icmp()), four(syn), four(raw(50))]);
    expect(results).toEqual([
      { verdict: 'accept', hotdrop: false, logs: [], effects: [], counted: ['INPUT 1', 'a 1', 'b 1', 'INPUT 2'] },
      {
        verdict: 'drop',
        hotdrop: false,
        logs: [],
        effects: [],
        counted: ['INPUT 1', 'a 1', 'b 2', 'c 1', 'a 2', 'INPUT policy'],
      },
      { verdict: 'accept', hotdrop: false, logs: [], effects: [], counted: ['INPUT 1', 'a 1', 'b 2', 'c 1', 'a 3'] },
      {
        verdict: 'drop',
        hotdrop: false,
        logs: [],
        effects: [],
        counted: ['INPUT 1', 'a 1', 'b 2', 'c 1', 'INPUT policy'],
      },
    ]);
  });

  test('RETURN in a built-in chain is its policy', () => {
    const [result] = evaluateAll([':INPUT DROP', '-A INPUT -j RETURN', '-A INPUT -j ACCEPT'], [four(syn)]);
    expect(result).toMatchObject({ verdict: 'drop', counted: ['INPUT 1', 'INPUT policy'] });
  });

  test('goto pushes nothing: its return goes to the last jump, or to the policy', () => {
    const lines = [
      ':a -',
      ':b -',
      '-A INPUT -p udp -g b',
      '-A INPUT -j a',
      '-A INPUT -j DROP',
      '-A a -g b',
      '-A a -j DROP',
      '-A b',
    ];
    expect(evaluateAll(lines, [four(udp()), four(syn)])).toMatchObject([
      { verdict: 'accept', counted: ['INPUT 1', 'b 1', 'INPUT policy'] },
      { verdict: 'drop', counted: ['INPUT 2', 'a 1', 'b 1', 'INPUT 3'] },
    ]);
  });

  test('goto, then RETURN with nobody to return to: the policy of the chain the packet came by', () => {
    const lines = [
      ':INPUT DROP',
      ':FORWARD ACCEPT',
      ':a -',
      '-A INPUT -g a',
      '-A INPUT -j ACCEPT',
      '-A FORWARD -g a',
      '-A a -j RETURN',
    ];
    expect(evaluateAll(lines, [four(syn)])).toMatchObject([
      { verdict: 'drop', counted: ['INPUT 1', 'a 1', 'INPUT policy'] },
    ]);
    expect(evaluateAll(lines, [four(syn)], 'FORWARD')).toMatchObject([
      { verdict: 'accept', counted: ['FORWARD 1', 'a 1', 'FORWARD policy'] },
    ]);
  });

  test('a chain reached twice (diamond) counts twice', () => {
    const lines = [':a -', ':b -', ':c -', '-A INPUT -j a', '-A INPUT -j b', '-A a -j c', '-A b -j c', '-A c'];
    expect(evaluateAll(lines, [four(syn)])[0]!.counted).toEqual([
      'INPUT 1',
      'a 1',
      'c 1',
      'INPUT 2',
      'b 1',
      'c 1',
      'INPUT policy',
    ]);
  });

  test('rules without target, LOG and jumps count and go on; REJECT drops', () => {
    const lines = [
      '-A INPUT',
      '-A INPUT -j LOG',
      '-A INPUT -j NFLOG',
      '-A INPUT -p tcp -j REJECT --reject-with tcp-reset',
    ];
    expect(evaluateAll(lines, [four(syn)])).toEqual([
      {
        verdict: 'drop',
        hotdrop: false,
        reject: 'tcp-reset',
        logs: [0, 1],
        effects: [],
        counted: ['INPUT 1', 'INPUT 2', 'INPUT 3', 'INPUT 4'],
      },
    ]);
  });

  test('a hook without a chain accepts and counts nothing', () => {
    expect(evaluateAll([':INPUT DROP'], [four(syn)], 'PREROUTING')).toMatchObject([{ verdict: 'accept', counted: [] }]);
  });
});

describe('hotdrop', () => {
  const short = four(truncated(syn, 8));

  test('nothing counts, not even the policy, whatever the inversion', () => {
    expect(evaluateAll(['-A INPUT -p tcp -m tcp ! --dport 81', '-A INPUT -j ACCEPT'], [short])).toEqual([
      { verdict: 'drop', hotdrop: true, logs: [], effects: [], counted: [] },
    ]);
  });

  test('what counted before stays counted, and an earlier verdict wins', () => {
    expect(evaluateAll(['-A INPUT -p tcp', '-A INPUT -p tcp -m tcp --dport 81'], [short])).toMatchObject([
      { hotdrop: true, counted: ['INPUT 1'] },
    ]);
    expect(evaluateAll(['-A INPUT -p tcp -j ACCEPT', '-A INPUT -p tcp -m tcp --dport 81'], [short])).toMatchObject([
      { verdict: 'accept' },
    ]);
  });

  test('a test before it in the rule protects', () => {
    expect(answer('-m mark --mark 1 -p tcp -m tcp --dport 81', short)).toBe('no');
    expect(answer('-s 10.0.0.0/8 -p tcp -m tcp --dport 81', short)).toBe('no');
  });
});

describe('devices', () => {
  const named = (name: string) => four(syn, {}, { in: { name, ifindex: 70_000 } });
  test.each([
    ['-i eth0', 'eth0', 'yes'],
    ['-i eth0', 'eth01', 'no'],
    ['-i eth0', 'eth', 'no'],
    ['-i eth+', 'eth01', 'yes'],
    ['-i eth+', 'eth', 'yes'],
    ['-i eth+', 'et', 'no'],
    ['! -i eth+', 'wg0', 'yes'],
    ['-i +', 'anything', 'yes'],
    ['-i fifteen-letters', 'fifteen-letters', 'yes'],
  ] as const)('%s, packet from %s: %s', (rule, name, expected) => {
    expect(answer(rule, named(name))).toBe(expected);
  });

  test('a missing device has the empty name', () => {
    const { in: _, ...packet } = four(syn);
    expect(answer('-i eth0', packet)).toBe('no');
    expect(answer('! -i eth0', packet)).toBe('yes');
    const lines = [':u -', '-A OUTPUT -j u', '-A u ! -i eth0', '-A u -i eth+', '-A u -i +'];
    expect(evaluateAll(lines, [packet], 'OUTPUT')[0]!.counted).toEqual(['OUTPUT 1', 'u 1', 'u 3', 'OUTPUT policy']);
  });
});

describe('memory', () => {
  const at = (now: bigint) => four(syn, {}, { now });

  test('limit 5/s burst 2: two, then one every 50 jiffies', () => {
    const times = [0n, 0n, 0n, 49n, 50n, 50n, 1000n, 1000n, 1000n];
    const results = evaluateAll(['-A INPUT -m limit --limit 5/s --limit-burst 2 -j ACCEPT'], times.map(at));
    expect(results.map(({ counted }) => counted[0] === 'INPUT 1')).toEqual([
      true,
      true,
      false,
      false,
      true,
      false,
      true,
      true,
      false,
    ]);
  });

  test('memory is touched only if everything before it matched', () => {
    const lines = ['-A INPUT -p tcp -m statistic --mode nth --every 2 --packet 0 -m mark --mark 0'];
    const hits = evaluateAll(lines, [four(udp()), four(syn), four(udp()), four(syn), four(syn)]).map(
      ({ counted }) => counted[0] === 'INPUT 1',
    );
    expect(hits).toEqual([false, true, false, false, true]);
  });

  test('one memory for all ways to a rule', () => {
    const lines = [
      ':a -',
      '-A INPUT -j a',
      '-A INPUT -j a',
      '-A a -m statistic --mode nth --every 2 --packet 0 -j LOG',
    ];
    expect(evaluateAll(lines, [four(syn)])[0]!.logs).toEqual([0]);
  });

  test.each([
    [0, 'yes'],
    [0x4000_0000 - 1, 'yes'],
    [0x4000_0000, 'no'],
    [0x8000_0000, 'yes'],
    [0xffff_ffff, 'no'],
  ])('probability 0.5 against random number %i: %s', (word, expected) => {
    expect(answer('-m statistic --mode random --probability 0.5', four(syn, {}, { random: () => word }))).toBe(
      expected,
    );
  });
});
