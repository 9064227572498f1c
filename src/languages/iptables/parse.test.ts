import { describe, expect, it } from 'vitest';
import type { Family } from '../../packet/netfilter.ts';
import { type ParseOptions, parseRuleset } from './parse.ts';
import { printRuleset } from './print.ts';

const parse = (text: string, family: Family = 'ipv4', options: ParseOptions = {}): ReturnType<typeof parseRuleset> =>
  parseRuleset({ name: 'test', text }, family, options);

/** Each fault as `code` and the text under the caret. */
function faults(text: string, family: Family = 'ipv4'): readonly string[] {
  return parse(text, family).diagnostics.map(({ code, span }) =>
    `${code} ${text.slice(span?.start, span?.end)}`.trim(),
  );
}

const inFilter = (...lines: readonly string[]): string => `*filter\n:chain - [0:0]\n${lines.join('\n')}\nCOMMIT\n`;

/** What a rule line of table filter prints as. */
function printed(line: string, family: Family = 'ipv4'): readonly string[] {
  const { ruleset, diagnostics } = parse(inFilter(line), family);
  if (ruleset === undefined) return diagnostics.map((item) => item.message);
  return printRuleset(ruleset, { counters: false })
    .split('\n')
    .filter((text) => text.startsWith('-A'));
}

describe('rules', () => {
  it.each([
    ['-A INPUT -j ACCEPT', '-A INPUT -j ACCEPT'],
    ['-A INPUT', '-A INPUT'],
    ['-j ACCEPT -A INPUT', '-A INPUT -j ACCEPT'],
    ['-AINPUT -ptcp -s1.2.3.4 -jDROP', '-A INPUT -s 1.2.3.4/32 -p tcp -j DROP'],
    ['--append INPUT --protocol=tcp --source=1.2.3.4 --jump=DROP', '-A INPUT -s 1.2.3.4/32 -p tcp -j DROP'],
    ['--app INPUT --prot tcp --sou 1.2.3.4 --ju DROP', '-A INPUT -s 1.2.3.4/32 -p tcp -j DROP'],
    ['-A INPUT -fp udp', '-A INPUT -p udp -f'],
    ['-A INPUT ! -f', '-A INPUT ! -f'],
    ['-A INPUT -p 6 --dport 22', '-A INPUT -p tcp -m tcp --dport 22'],
    ['-A INPUT -m tcp -p tcp --dport=22', '-A INPUT -p tcp -m tcp --dport 22'],
    ['-A INPUT -p tcp -m state --state NEW --dport 22', '-A INPUT -p tcp -m state --state NEW -m tcp --dport 22'],
    ['-A INPUT -p tcp --so 5', '-A INPUT -s 5.0.0.0/32 -p tcp'],
    ['-A INPUT -m mark --mark 1 -m connmark --mark 2', '-A INPUT -m mark --mark 0x1 -m connmark --mark 0x2'],
    ['-A INPUT -j LOG --log-prefix "a" -m state --state NEW', '-A INPUT -m state --state NEW -j LOG --log-prefix a'],
    ['-A INPUT -j chain', '-A INPUT -j chain'],
    ['-A INPUT -g chain', '-A INPUT -g chain'],
    ['-A INPUT -v -M foo --', '-A INPUT'],
    ['-A INPUT -m comment --comment -t', '-A INPUT -m comment --comment -t'],
    ['-A INPUT -p IPENCAP', '-A INPUT -p ipencap'],
    ['-A INPUT -p 200', '-A INPUT -p 200'],
    ['-A INPUT -p all', '-A INPUT'],
    ['-A INPUT -i +', '-A INPUT'],
    ['-A INPUT ! -i +', '-A INPUT ! -i +'],
    ['-A INPUT -s any/0', '-A INPUT'],
    ['-A INPUT ! -s 10.1.2.3/0', '-A INPUT ! -s 0.0.0.0/0'],
    ['-A INPUT -s 10.1/0x10', '-A INPUT -s 10.1.0.0/16'],
    ['-A INPUT -s 10.1.2.3/255.0.255.0', '-A INPUT -s 10.0.2.0/255.0.255.0'],
  ])('%s', (line, expected) => {
    expect(printed(line)).toEqual([expected]);
  });

  it('makes one rule for each pair of addresses', () => {
    expect(printed('-A INPUT -s "10.0.0.1, 10.0.0.2" -d 1.1.1.1,2.2.2.2')).toEqual([
      '-A INPUT -s 10.0.0.1/32 -d 1.1.1.1/32',
      '-A INPUT -s 10.0.0.1/32 -d 2.2.2.2/32',
      '-A INPUT -s 10.0.0.2/32 -d 1.1.1.1/32',
      '-A INPUT -s 10.0.0.2/32 -d 2.2.2.2/32',
    ]);
  });

  it('knows IPv6', () => {
    expect(printed('-A INPUT -s ::1/ffff::ffff -p icmpv6 --icmpv6-type echo-request', 'ipv6')).toEqual([
      '-A INPUT -s ::1/ffff::ffff -p ipv6-icmp -m icmp6 --icmpv6-type 128',
    ]);
    const rule = parse(inFilter('-A INPUT -p all'), 'ipv6').ruleset?.tables[0]?.chains[0]?.rules[0];
    expect(rule?.ip.protocol?.value).toBe(0);
  });

  it('leaves out lines for the other family', () => {
    expect(printed('-A INPUT -6 -s ::1 -j DROP')).toEqual([]);
    expect(printed('-A INPUT -s ::1 -6 -j DROP')).toEqual([]);
    expect(printed('-A INPUT -4 -j DROP')).toEqual(['-A INPUT -j DROP']);
  });

  it('asks for users and groups', () => {
    const accounts = { user: (name: string) => (name === 'www' ? 33 : undefined), group: () => undefined };
    const text = inFilter('-A OUTPUT -m owner --uid-owner www');
    expect(printRuleset(parse(text, 'ipv4', { accounts }).ruleset!, { counters: false })).toContain('--uid-owner 33\n');
    expect(faults(text)).toEqual(['bad-value www']);
  });
});

describe('faults of a rule', () => {
  it.each([
    ['-A INPUT extra', 'stray-word extra'],
    ['-A INPUT -s ! 1.2.3.4', 'stray-word 1.2.3.4'],
    ['-A INPUT ! ! -p tcp', 'double-negation !'],
    ['-A INPUT -p tcp !', 'dangling-negation !'],
    ['-A INPUT ! -j ACCEPT', 'cannot-invert !'],
    ['-A INPUT -j LOG ! --log-uid', 'cannot-invert !'],
    ['-A INPUT --nonsense', 'unknown-option --nonsense'],
    ['-A INPUT --log-prefix a -j LOG', 'unknown-option --log-prefix'],
    ['-A INPUT --s 1', 'ambiguous-option --s'],
    ['-A INPUT -p tcp --dport 5 --dest 1.2.3.4', 'ambiguous-option --dest'],
    ['-A INPUT -j', 'missing-value -j'],
    ['-A INPUT -j LOG --log-uid=3', 'unexpected-value --log-uid=3'],
    ['-A INPUT -p tcp -p tcp', 'repeated-option -p'],
    ['-A INPUT -j ACCEPT -g chain', 'repeated-option -g'],
    ['-A INPUT -p tcp --dport 5 --dport 6', 'repeated-option --dport'],
    ['-A INPUT -t nat', 'table-option -t'],
    ['-A INPUT -I INPUT', 'second-command -I'],
    ['-A INPUT -n', 'option-not-with-command -n'],
    ['-F INPUT -s 1.2.3.4', 'option-not-with-command -s'],
    ['-L', 'not-a-change -L'],
    ['-j ACCEPT', 'no-command -j ACCEPT'],
    ['-A INPUT -s 1.2.3.4,1.2.3.256', 'bad-address 1.2.3.256'],
    ['-A INPUT -s 1.2.3.4/33', 'bad-mask 1.2.3.4/33'],
    ['-A INPUT -s example.org', 'host-name example.org'],
    ['-A INPUT ! -s 1.2.3.4,5.6.7.8', 'inverted-list !'],
    ['-A INPUT -i aaaaaaaaaaaaaaaa', 'bad-interface aaaaaaaaaaaaaaaa'],
    ['-A INPUT -i ""', 'bad-interface ""'],
    ['-A INPUT -o eth0', 'interface-in-chain -o'],
    ['-A INPUT -p 300', 'bad-protocol 300'],
    ['-A INPUT ! -p all', 'protocol-never-matches all'],
    ['-A INPUT -c 1 -j ACCEPT', 'missing-value -c'],
    ['-A INPUT -c 1,x', 'bad-counters 1,x'],
    ['-A INPUT -p tcp --dport=htpp', 'bad-value htpp'],
    ['-A INPUT -p tcp --tcp-flags SYN,FOO SYN', 'bad-value SYN,FOO'],
    ['-A INPUT -p tcp --tcp-flags SYN', 'missing-value --tcp-flags'],
    ['-A INPUT -m tcp --dport 5', 'protocol-required tcp'],
    ['-A INPUT ! -p tcp --dport 5', 'protocol-required --dport'],
    ['-A INPUT -m mark', 'missing-option mark'],
    ['-A INPUT -m nonsense', 'unknown-match nonsense'],
    ['-A INPUT -m icmp6', 'wrong-family icmp6'],
    ['-A INPUT -m recent --set --name "x" ! --rsource', 'cannot-invert !'],
    ['-A INPUT -m eui64', 'wrong-family eui64'],
    ['-A INPUT -m unclean --whatever', 'unknown-match unclean'],
    ['-A INPUT -j nonsense', 'unknown-target nonsense'],
    ['-A INPUT -j ULOG --ulog-prefix x', 'removed-target ULOG'],
    ['-A INPUT -g ACCEPT', 'goto-not-a-chain ACCEPT'],
    ['-A INPUT -j OUTPUT', 'jump-to-built-in-chain OUTPUT'],
    ['-A nowhere -j ACCEPT', 'unknown-chain nowhere'],
    ['-A FORWARD -m owner --uid-owner 0', 'wrong-hook owner'],
    ['-A INPUT -m comment --comment "x', 'unclosed-quote "'],
  ])('%s', (line, fault) => {
    expect(faults(inFilter(line))).toEqual([fault]);
  });

  it('has every fault of a file', () => {
    const text = inFilter('-A INPUT -m unclean --set -j ULOG', '-A INPUT -j nonsense', ':chain - [0:0]', '-A x');
    expect(faults(text)).toEqual([
      'unknown-match unclean',
      'removed-target ULOG',
      'unknown-target nonsense',
      'duplicate-chain chain',
      'unknown-chain x',
    ]);
  });

  it('has DROP in nat and the fragment option of IPv6', () => {
    expect(faults('*nat\n-A PREROUTING -j DROP\nCOMMIT\n')).toEqual(['drop-in-nat DROP']);
    expect(faults('*filter\n-A INPUT -f\nCOMMIT\n', 'ipv6')).toEqual(['wrong-family -f']);
  });
});

describe('lines', () => {
  it.each([
    ['*filter\nCOMMIT', 'missing-line-end COMMIT'],
    ['*filter\n', 'missing-commit *filter'],
    ['*nonsense\n-A x\nCOMMIT\n', 'unknown-table nonsense'],
    [' *filter\n', 'outside-table  *filter'],
    ['COMMIT\n', 'outside-table COMMIT'],
    ['*filter\nCOMMIT \nCOMMIT\n', 'stray-word COMMIT'],
    ['*filter\n*nat\nCOMMIT\n', 'stray-word *nat'],
    ['*filter\n   \nCOMMIT\n', 'no-command'],
    ['*filter\n\t# x\nCOMMIT\n', 'stray-word #'],
    ['*filter\n:INPUT\nCOMMIT\n', 'missing-policy INPUT'],
    ['*filter\n:INPUT QUEUE [0:0]\nCOMMIT\n', 'bad-policy QUEUE'],
    ['*filter\n:INPUT DROP [0]\nCOMMIT\n', 'bad-counters [0]'],
    ['*filter\n:x ACCEPT [0:0]\nCOMMIT\n', 'policy-on-user-chain x'],
    ['*filter\n:DROP - [0:0]\nCOMMIT\n', 'bad-chain-name DROP'],
    ['*filter\n-N LOG\nCOMMIT\n', 'bad-chain-name LOG'],
    [`*filter\n:${'x'.repeat(29)} - [0:0]\nCOMMIT\n`, `bad-chain-name ${'x'.repeat(29)}`],
    ['*filter\n[1:2 -A INPUT\nCOMMIT\n', 'bad-counters [1:2 -A INPUT'],
    ['*filter\n[18446744073709551616:0] -A INPUT\nCOMMIT\n', 'bad-counters [18446744073709551616:0]'],
    ['*filter\n-A INPUT\r\nCOMMIT\n', 'carriage-return'],
    ['*filter\n-A IN\0PUT\nCOMMIT\n', 'bad-character \0'],
  ])('%j', (text, fault) => {
    expect(faults(text)).toEqual([fault]);
  });

  it('has limits, as iptables-restore has', () => {
    const code = (text: string): string | undefined => parse(text).diagnostics[0]?.code;
    expect(code(`*filter\n# ${'x'.repeat(11_000)}\nCOMMIT\n`)).toBe('line-too-long');
    expect(code(inFilter(`-A INPUT -m comment --comment ${'x'.repeat(1100)}`))).toBe('word-too-long');
    expect(code(inFilter(`-A INPUT${' -m comment --comment x'.repeat(80)}`))).toBe('too-many-words');
  });

  it('accepts an empty file', () => {
    expect(parse('').ruleset?.tables).toEqual([]);
  });

  it('keeps the policies, not the rules, of a table that comes twice', () => {
    const { ruleset } = parse('*filter\n:INPUT DROP [5:6]\n-A INPUT\nCOMMIT\n*nat\nCOMMIT\n*filter\nCOMMIT\n');
    expect(ruleset?.tables.map((table) => table.name)).toEqual(['filter', 'nat']);
    const [input] = ruleset?.tables[0]?.chains ?? [];
    expect(input).toMatchObject({ policy: 'DROP', counters: { packets: 5n, bytes: 6n }, rules: [] });
  });
});

describe('commands', () => {
  const chainText = (...lines: readonly string[]): string => {
    const { ruleset, diagnostics } = parse(inFilter(...lines));
    if (ruleset === undefined) return diagnostics.map((item) => item.code).join(' ');
    const text = printRuleset(ruleset, { counters: true });
    return text
      .split('\n')
      .filter((line) => /^\[|^:(?!FORWARD|OUTPUT)/.test(line))
      .join('|');
  };

  it.each([
    [
      ['-A chain -j ACCEPT', '-I chain -j DROP', '-I chain 2 -j RETURN', '-D chain 1'],
      ':INPUT ACCEPT [0:0]|:chain - [0:0]|[0:0] -A chain -j RETURN|[0:0] -A chain -j ACCEPT',
    ],
    [
      ['-I INPUT -s 1.1.1.1,2.2.2.2'],
      ':INPUT ACCEPT [0:0]|:chain - [0:0]|[0:0] -A INPUT -s 2.2.2.2/32|[0:0] -A INPUT -s 1.1.1.1/32',
    ],
    [
      ['-N a', '-A INPUT -j a', '-E a b', '-P INPUT DROP'],
      ':INPUT DROP [0:0]|:b - [0:0]|:chain - [0:0]|[0:0] -A INPUT -j b',
    ],
    [
      ['[1:2] -A INPUT -j DROP', '-A INPUT -c 3 4', '-R INPUT 1 -j ACCEPT'],
      ':INPUT ACCEPT [0:0]|:chain - [0:0]|[0:0] -A INPUT -j ACCEPT|[3:4] -A INPUT',
    ],
    [['[1:2] -A INPUT -p 6', '-C INPUT -p tcp', '-Z'], ':INPUT ACCEPT [0:0]|:chain - [0:0]|[0:0] -A INPUT -p tcp'],
    [['-A INPUT -p tcp', '-D INPUT -p 6', '-X chain'], ':INPUT ACCEPT [0:0]'],
    [['-A INPUT', '-F', '-X'], ':INPUT ACCEPT [0:0]'],
    [['-I INPUT 2'], 'rule-number-range'],
    [['-I INPUT 0'], 'bad-rule-number'],
    [['-D INPUT -p tcp'], 'no-such-rule'],
    [['-A INPUT -j chain', '-X chain'], 'chain-in-use'],
    [['-A chain', '-X'], 'chain-not-empty'],
    [['-X INPUT'], 'built-in-chain'],
    [['-E chain INPUT'], 'duplicate-chain'],
    [['-P chain DROP'], 'policy-on-user-chain'],
    [['-A INPUT', '-R INPUT 1 -s 1.1.1.1,2.2.2.2'], 'several-addresses'],
    [['-R INPUT -s 1.1.1.1'], 'missing-value'],
    [['-N -x'], 'bad-chain-name'],
  ])('%j', (lines, expected) => {
    expect(chainText(...lines)).toBe(expected);
  });
});

describe('what the kernel checks', () => {
  it('refuses circles that a packet can enter, and only those', () => {
    const text = (...rules: readonly string[]): string => inFilter(':b - [0:0]', ...rules);
    expect(faults(text('-A chain -j b', '-A b -g chain'))).toEqual([]);
    expect(faults(text('-A INPUT -j chain', '-A chain -j b', '-A b -g chain'))).toEqual(['jump-circle b']);
    expect(faults(text('-A INPUT -j chain', '-A chain -j RETURN', '-A chain -j chain'))).toEqual([]);
    expect(faults(text('-A INPUT -j chain', '-A chain -p tcp -j RETURN', '-A chain -j chain'))).toEqual([
      'jump-circle chain',
    ]);
  });

  it('forbids hooks by where a rule can be reached from', () => {
    const owner = '-A chain -m owner --uid-owner 0';
    expect(faults(inFilter(owner))).toEqual([]);
    expect(faults(inFilter(owner, '-A OUTPUT -j chain'))).toEqual([]);
    expect(faults(inFilter(owner, '-A INPUT -j chain'))).toEqual(['wrong-hook owner']);
    expect(faults(inFilter(owner, '-A INPUT -j ACCEPT', '-A INPUT -j chain'))).toEqual([]);
  });

  it('forbids tables wherever the rule stands', () => {
    expect(faults('*raw\n:x - [0:0]\n-A x -j REJECT\nCOMMIT\n')).toEqual(['wrong-table REJECT']);
  });
});
