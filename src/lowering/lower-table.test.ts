import { describe, expect, test } from 'vitest';
import { parseRuleset } from '../languages/iptables/parse.ts';
import type { Family } from '../packet/netfilter.ts';
import type { TablePolicy } from '../policy/ir.ts';
import { chainGraph } from '../rules/chain-graph.ts';
import { lowerTable } from './lower-table.ts';

function lower(lines: readonly string[], family: Family = 'ipv4', table = 'filter') {
  const text = `*${table}\n${lines.join('\n')}\nCOMMIT\n`;
  const { ruleset, diagnostics } = parseRuleset({ name: 'test', text }, family);
  if (ruleset === undefined) throw new Error(diagnostics.map((item) => item.message).join('\n'));
  return { table: ruleset.tables[0]!, ...lowerTable(ruleset.tables[0]!, family) };
}

function policyOf(lines: readonly string[], family: Family = 'ipv4'): TablePolicy {
  const { policy, diagnostics } = lower(lines, family);
  if (policy === undefined) throw new Error(diagnostics.map((item) => item.message).join('\n'));
  return policy;
}

/** Conditions of the first INPUT rule, as text. */
function conditionsOf(line: string, family: Family = 'ipv4'): readonly string[] {
  return ruleOf(line, family).conditions.map((condition) => {
    if (condition.kind === 'stateful') return `${condition.invert ? '! ' : ''}${condition.test.kind}`;
    const { expr } = condition;
    if (expr.kind !== 'test') return `${condition.kind} ${expr.kind === 'constant' ? expr.value : expr.kind}`;
    const mask = expr.mask === undefined ? '' : `&${expr.mask.toString(16)}`;
    const ranges = expr.ranges.map(({ min, max }) =>
      min === max ? min.toString(16) : `${min.toString(16)}-${max.toString(16)}`,
    );
    return `${condition.kind} ${expr.field}${mask} ${ranges.join(' ')}`;
  });
}

function ruleOf(line: string, family: Family = 'ipv4') {
  return policyOf([`-A INPUT ${line}`], family).chains.find((chain) => chain.name === 'INPUT')!.rules[0]!;
}

describe('the ip part', () => {
  test.each([
    ['-j ACCEPT', []],
    ['-s 0.0.0.0/0', []],
    ['-s 10.0.0.0/8', ['require ip.saddr&ff000000 a000000']],
    ['! -d 10.0.0.1', ['require ip.daddr 0-a000000 a000002-ffffffff']],
    ['-i eth0', ['require meta.iifname&ffffffffff0000000000000000000000 65746830000000000000000000000000']],
    ['-i eth+', ['require meta.iifname&ffffff00000000000000000000000000 65746800000000000000000000000000']],
    ['-i +', []],
    ['! -i +', ['require false']],
    ['-p all', []],
    ['-p tcp', ['require ip.protocol 6']],
    ['! -p tcp', ['require ip.protocol 0-5 7-ff']],
    ['-f', ['require ip.fragOffset 1-ffff']],
    ['! -f', ['require ip.fragOffset 0']],
    [
      '-i lo -p udp -d 10.0.0.2 -s 10.0.0.1 -f',
      [
        'require ip.saddr a000001',
        'require ip.daddr a000002',
        'require meta.iifname&ffffff00000000000000000000000000 6c6f0000000000000000000000000000',
        'require ip.protocol 11',
        'require ip.fragOffset 1-ffff',
      ],
    ],
  ])('IPv4 %s', (line, expected) => {
    expect(conditionsOf(line)).toEqual(expected);
  });

  test.each([
    ['-s fe80::/10', ['require ip6.saddr&ffc00000000000000000000000000000 fe800000000000000000000000000000']],
    // -p walks the headers, even when any protocol will do.
    ['-p all', ['hotdrop ip6.chain 1']],
    ['-p tcp', ['hotdrop ip6.chain 1', 'require ip6.protocol 6']],
    ['! -p tcp -s ::1', ['require ip6.saddr 1', 'hotdrop ip6.chain 1', 'require ip6.protocol 0-5 7-ff']],
  ])('IPv6 %s', (line, expected) => {
    expect(conditionsOf(line, 'ipv6')).toEqual(expected);
  });

  test('address bits outside the mask: never in IPv4, no matter in IPv6', () => {
    const table = (family: Family, address: bigint, mask: bigint) => {
      const { table: parsed } = lower(['-A INPUT -s ::'.replace('::', family === 'ipv4' ? '0.0.0.0' : '::')], family);
      const chains = parsed.chains.map((chain) => ({
        ...chain,
        rules: chain.rules.map((rule) => ({ ...rule, ip: { source: { value: { address, mask }, invert: false } } })),
      }));
      return lowerTable({ ...parsed, chains }, family).policy!.chains[0]!.rules[0]!.conditions;
    };
    expect(table('ipv4', 0x0a00_0001n, 0xff00_0000n)).toEqual([
      { kind: 'require', expr: { kind: 'constant', value: false } },
    ]);
    expect(table('ipv6', 3n, 2n)).toEqual([
      { kind: 'require', expr: { kind: 'test', field: 'ip6.saddr', mask: 2n, ranges: [{ min: 2n, max: 2n }] } },
    ]);
  });
});

describe('what earlier conditions have answered', () => {
  test('two matches of one header ask for it once', () => {
    expect(conditionsOf('-p tcp -m tcp --dport 80 -m multiport --sports 1,2')).toEqual([
      'require ip.protocol 6',
      'hotdrop ip.fragOffset 1',
      'require ip.fragOffset 0',
      'hotdrop transport.length 0-13',
      'require transport.dport 50',
      'require transport.sport 1-2',
    ]);
  });

  test('a rule that cannot match keeps only what has effects', () => {
    expect(conditionsOf('-p udp -m length --length 10 -m length --length 11')).toEqual(['require false']);
    expect(conditionsOf('-p udp -m udp ! --dport 0:65535')).toEqual([
      'require ip.protocol 11',
      'require ip.fragOffset 0',
      'hotdrop transport.length 0-7',
      'require false',
    ]);
    expect(conditionsOf('-f -p udp -m udp --dport 1')).toEqual(['require false']);
    expect(conditionsOf('-m limit -m length --length 10 -m length --length 11 -m limit')).toEqual([
      'limit',
      'require false',
    ]);
  });

  test('the order of what has effects stays', () => {
    expect(conditionsOf('-m limit -p udp -m udp --dport 1')).toEqual([
      'require ip.protocol 11',
      'limit',
      'require ip.fragOffset 0',
      'hotdrop transport.length 0-7',
      'require transport.dport 1',
    ]);
  });
});

describe('chains', () => {
  test('counters are numbered over all chains, a policy after the rules of its chain', () => {
    const policy = policyOf([':user -', '-A INPUT', '-A INPUT', '-A OUTPUT -j user', '-A user -j RETURN']);
    expect(policy.counters).toBe(7);
    expect(
      policy.chains.map(({ name, base, rules }) => [name, rules.map((rule) => rule.counter), base?.counter]),
    ).toEqual([
      ['INPUT', [0, 1], 2],
      ['FORWARD', [], 3],
      ['OUTPUT', [4], 5],
      ['user', [6], undefined],
    ]);
    expect(policy.chains[2]!.rules[0]!.action).toEqual({ kind: 'jump', chain: 3 });
    expect(policy.chains[0]!.base).toEqual({ hook: 'INPUT', policy: 'accept', counter: 2 });
    expect(policy.chains[2]!.rules[0]!.provenance).toMatchObject({ chain: 'OUTPUT', rule: 1, span: {} });
  });

  test('a policy is plain data', () => {
    const policy = policyOf(['-A INPUT -m limit -j LOG']);
    expect(structuredClone(policy)).toEqual(policy);
    expect(Object.isFrozen(policy) && Object.isFrozen(policy.chains[0]!.rules[0])).toBe(true);
  });

  test('which hooks reach a rule: by every jump, but not past an unconditional verdict', () => {
    const { table } = lower([
      ':a -',
      ':b -',
      ':c -',
      '-A INPUT -j a',
      '-A INPUT -j ACCEPT',
      '-A INPUT -j c',
      '-A OUTPUT -p tcp -j DROP',
      '-A OUTPUT -g b',
      '-A a -m comment --comment x -j RETURN',
      '-A a -j b',
      '-A a -j RETURN',
      '-A a -j c',
      '-A b -j LOG',
    ]);
    const graph = chainGraph(table, 'ipv4');
    const hooks = (name: string, rule: number) =>
      graph.hooksOf(
        table.chains.findIndex((chain) => chain.name === name),
        rule,
      );
    expect(hooks('INPUT', 1)).toEqual(['INPUT']);
    expect(hooks('INPUT', 2)).toEqual([]);
    expect(hooks('a', 1)).toEqual(['INPUT']);
    expect(hooks('a', 3)).toEqual([]);
    expect(hooks('b', 0)).toEqual(['INPUT', 'OUTPUT']);
    expect(graph.circles).toEqual([]);
  });

  test('a rule that nobody reaches keeps its counter and nothing else', () => {
    const policy = policyOf(['-A INPUT -j DROP', '-A INPUT -m limit -j LOG', ':unused -', '-A unused -p tcp -j DROP']);
    expect(policy.chains[0]!.rules[1]).toMatchObject({ action: { kind: 'continue' }, counter: 1 });
    expect(policy.chains[0]!.rules[1]!.conditions).toEqual([
      { kind: 'require', expr: { kind: 'constant', value: false } },
    ]);
    expect([policy.states, policy.logs]).toEqual([[], []]);
    expect(policy.chains[3]!.rules[0]!.action.kind).toBe('continue');
  });

  test('a circle that packets reach must have been refused before', () => {
    const { table } = lower([':a -', '-A INPUT -p tcp -j a', '-A a -p udp -j RETURN']);
    const chains = table.chains.map((chain) =>
      chain.name === 'a' ? { ...chain, rules: table.chains[0]!.rules } : chain,
    );
    expect(() => lowerTable({ ...table, chains }, 'ipv4')).toThrow('circle');
    expect(() => lowerTable({ ...table, chains: table.chains.slice(0, 3) }, 'ipv4')).toThrow('no chain a');
  });

  test.each([
    [[':a -', ':b -', '-A a -j b', '-A b -j a']],
    [[':a -', '-A INPUT -j ACCEPT', '-A INPUT -j a', '-A a -j a']],
    [[':a -', '-A INPUT -j a', '-A a -j RETURN', '-A a -j a']],
  ])('a circle that no packet reaches is accepted, as by the kernel: case %#', (lines) => {
    expect(lower(lines).diagnostics).toEqual([]);
  });

  test('chains nested 3,000 deep', () => {
    const names = Array.from({ length: 3000 }, (_, at) => `c${String(at).padStart(4, '0')}`);
    const jumps = names.slice(1).map((name, at) => `-A ${names[at]} -j ${name}`);
    const policy = policyOf([...names.map((name) => `:${name} -`), '-A INPUT -j c0000', ...jumps]);
    expect(policy.counters).toBe(3 + 3000);
  });
});

describe('what cannot be run', () => {
  test.each([['-p tcp -j SYNPROXY', 'not-supported-here']])('%s: %s', (line, code) => {
    const text = `*filter\n-A INPUT -p tcp -j ACCEPT\n-A INPUT ${line}\nCOMMIT\n`;
    const { ruleset, diagnostics: faults } = parseRuleset({ name: 'test', text }, 'ipv4');
    const diagnostics = ruleset === undefined ? faults : lowerTable(ruleset.tables[0]!, 'ipv4').diagnostics;
    expect(diagnostics.map((item) => item.code)).toEqual([code]);
    const { span } = diagnostics[0]!;
    expect(text.slice(span!.start, span!.end)).not.toBe('');
    expect(text.slice(0, span!.start).split('\n').length).toBe(3);
  });
});

describe('connection tracking', () => {
  test('is asked for by a rule that no packet reaches', () => {
    expect(policyOf([':unused - [0:0]', '-A unused -m state --state NEW -j ACCEPT']).conntrack).toBe(true);
    expect(policyOf(['-A INPUT -p tcp -j ACCEPT']).conntrack).toBe(false);
  });
});
