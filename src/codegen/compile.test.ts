import { describe, expect, it } from 'vitest';
import { filterPolicy, policiesOf } from '../../test/generate/index.ts';
import { withLoaded } from '../../test/support/loaded-generation.ts';
import { suite } from '../../test/support/suite.ts';
import { REFERENCE_FACTS } from '../bpf/reference-facts.ts';
import { readKernelFacts } from '../kernel/facts.ts';
import { netfilterInput, testRun } from '../kernel/test-run.ts';
import type { Family } from '../packet/netfilter.ts';
import type { TablePolicy } from '../policy/ir.ts';
import { compileGeneration } from './compile.ts';
import { MAP_NAMES } from './compiled.ts';
import { STATE_BYTES } from './netfilter/stateful.ts';

const HEAD = [':INPUT ACCEPT [0:0]', ':FORWARD ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]'];

function compile(...policies: TablePolicy[]) {
  return compileGeneration({ policies, facts: REFERENCE_FACTS });
}

describe('a compiled generation', () => {
  it('has one program for each chain on a hook, and counters of all tables in one map', () => {
    const text = `*filter\n${HEAD.join('\n')}\n-A INPUT -j DROP\nCOMMIT\n*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n`;
    const { generation, diagnostics } = compile(...policiesOf(text, 'ipv4'));
    expect(diagnostics).toEqual([]);
    expect(generation!.hooks.map(({ table, hook, program }) => [table, hook, program.name])).toEqual([
      ['filter', 'INPUT', 'filter_INPUT'],
      ['filter', 'FORWARD', 'filter_FORWARD'],
      ['filter', 'OUTPUT', 'filter_OUTPUT'],
      ['raw', 'PREROUTING', 'raw_PREROUTING'],
      ['raw', 'OUTPUT', 'raw_OUTPUT'],
    ]);
    expect(generation!.counters).toEqual([
      { family: 'ipv4', table: 'filter', first: 0, count: 4 },
      { family: 'ipv4', table: 'raw', first: 4, count: 2 },
    ]);
    expect(generation!.counterStride).toBe(128);
    expect(generation!.maps.map(({ name, valueSize }) => [name, valueSize])).toEqual([[MAP_NAMES.counters, 256]]);
    expect(generation!.needs).toEqual({ conntrack: [], log: false });
  });

  it('starts limits full and turns at their packet', () => {
    const rules = [
      '-A INPUT -m limit --limit 5/sec --limit-burst 5 -j ACCEPT',
      '-A INPUT -m statistic --mode nth --every 4 --packet 2 -j ACCEPT',
    ];
    const { generation } = compile(filterPolicy('ipv4', ...HEAD, ...rules));
    const states = generation!.maps.find((map) => map.name === MAP_NAMES.states)!;
    const view = new DataView(states.initial!.buffer);
    expect(states.valueSize).toBe(2 * STATE_BYTES);
    // 5/s at HZ 250: a packet costs 6,400 credits (iptables-semantics, limit).
    expect(view.getUint32(8, true)).toBe(32_000);
    // It counts 0, 1, 2, 3 and matches when it comes to 0: packet 2 of every four, from 1 on.
    expect(view.getUint32(STATE_BYTES, true)).toBe(1);
  });

  it('is refused where two rules count different things in one hashlimit table', () => {
    const limit = (mode: string): string =>
      `-A INPUT -p tcp -m hashlimit --hashlimit-upto 5/sec --hashlimit-mode ${mode} --hashlimit-name one -j ACCEPT`;
    const same = compile(filterPolicy('ipv4', ...HEAD, limit('srcip,dstport'), limit('srcip,dstport')));
    expect(same.diagnostics).toEqual([]);
    const { generation, diagnostics, refused } = compile(
      filterPolicy('ipv4', ...HEAD, limit('srcip'), limit('srcip,dstport')),
    );
    expect(generation).toBeUndefined();
    expect(diagnostics.map(({ code, message }) => [code, message])).toEqual([
      ['not-supported-here', expect.stringContaining('hashlimit table "one"')],
    ]);
    expect(refused?.map(({ table }) => table)).toEqual(['filter']);
  });

  it('says which answers each program can ask for', () => {
    const rules = ['-A INPUT -p tcp -j REJECT --reject-with tcp-reset', '-A INPUT -j REJECT'];
    const { generation } = compile(filterPolicy('ipv4', ...HEAD, ...rules));
    expect(generation!.hooks.map(({ reject }) => reject)).toEqual([['tcp-reset', 'icmp-port-unreachable'], [], []]);
  });

  it('names what a kernel lacks, only when a rule needs it', () => {
    const { 'cred.fsuid': _, ...members } = REFERENCE_FACTS.members;
    const facts = { ...REFERENCE_FACTS, members };
    const owner = filterPolicy('ipv4', ...HEAD, '-A OUTPUT -m owner --uid-owner 0 -j ACCEPT');
    const plain = filterPolicy('ipv4', ...HEAD, '-A OUTPUT -j ACCEPT');
    expect(compileGeneration({ policies: [owner], facts }).diagnostics).toMatchObject([
      { code: 'kernel-lacks-member', message: expect.stringContaining('cred.fsuid') },
    ]);
    expect(compileGeneration({ policies: [plain], facts }).diagnostics).toEqual([]);
  });

  it('refuses chains that nest deeper than there is room for', () => {
    const names = Array.from({ length: 45 }, (_, i) => `c${i}`);
    const calls = names.flatMap((name, i) =>
      names[i + 1] === undefined ? [] : Array(2).fill(`-A ${name} -j ${names[i + 1]}`),
    );
    const chains = names.map((name) => `:${name} - [0:0]`);
    const { generation, diagnostics } = compile(filterPolicy('ipv4', ...HEAD, ...chains, '-A INPUT -j c0', ...calls));
    expect(generation).toBeUndefined();
    expect(diagnostics).toMatchObject([
      { code: 'chains-too-deep', message: expect.stringMatching(/nest 44 deep; there is room for 37/) },
    ]);
  });
});

function address(i: number): string {
  return `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;
}

function rules(count: number, rule: (i: number) => string): string[] {
  return Array.from({ length: count }, (_, i) => rule(i));
}

/** Tables that try what the verifier can bear. */
/** No two of them alike, most of them with a memory, and all of them met by the same packets or by none. */
function manyKinds(i: number): string {
  const box = ['-p udp', `-s ${address(i)}`, '', `-d 10.0.0.0/${8 + (i % 9)}`][i % 4]!;
  const test = [
    `-m limit --limit ${1 + (i % 50)}/sec`,
    `-m statistic --mode nth --every ${2 + i} --packet 1`,
    `-m quota --quota ${i}`,
    `-m string --algo bm --string "word ${i % 60}"`,
    `-m u32 --u32 "4&0xffff=${i % 90}"`,
    `-m recent --name list${i % 20} --rcheck --seconds 10`,
    `-m length --length ${i % 1400}:1500`,
    `-m limit --limit ${1 + (i % 50)}/hour -m statistic --mode nth --every ${3 + i} --packet 2`,
    `-m statistic --mode random --probability 0.00001`,
  ][i % 9]!;
  const then = ['', '', '-j ACCEPT', '-j LOG', '', '-j DROP', '-j RETURN'][Math.floor(i / 36) % 7]!;
  // Only what the test's packet does not meet may end its way.
  return `-A INPUT ${box} ${test} ${i % 4 === 0 ? then : ''}`;
}

const LARGE: readonly [name: string, family: Family, lines: () => string[]][] = [
  ['10,000 addresses', 'ipv4', () => rules(10_000, (i) => `-A INPUT -s ${address(i)} -j DROP`)],
  ['10,000 ports', 'ipv4', () => rules(10_000, (i) => `-A INPUT -p tcp -m tcp --dport ${i} -j DROP`)],
  [
    '5,000 5-tuples',
    'ipv4',
    () =>
      rules(
        5000,
        (i) => `-A INPUT -s ${address(i)} -d ${address(7 * i)} -p tcp -m tcp --sport ${1024 + i} --dport ${i} -j DROP`,
      ),
  ],
  [
    '2,000 IPv6 rules',
    'ipv6',
    () => rules(2000, (i) => `-A INPUT -s 2001:db8::${i.toString(16)} -i eth+ -p udp -m udp --dport ${i} -j DROP`),
  ],
  [
    '3,000 port lists',
    'ipv4',
    () => rules(3000, (i) => `-A INPUT -p tcp -m multiport --dports 1,3,5,${i + 10} -j DROP`),
  ],
  ['9,000 rules that only count', 'ipv4', () => rules(9000, (i) => `-A INPUT -s ${address(i)}`)],
  ['3,000 LOG rules', 'ipv4', () => rules(3000, (i) => `-A INPUT -s ${address(i)} -j LOG`)],
  ['500 limits', 'ipv4', () => rules(500, (i) => `-A INPUT -s ${address(i)} -m limit --limit 5/sec -j ACCEPT`)],
  [
    '20,000 limits of addresses',
    'ipv4',
    () => rules(20_000, (i) => `-A INPUT -s ${address(i)} -m limit --limit ${1 + (i % 999)}/min -j ACCEPT`),
  ],
  [
    '20,000 limits of everything',
    'ipv4',
    () => rules(20_000, (i) => `-A INPUT -m limit --limit ${1 + (i % 999)}/min --limit-burst ${1 + (i % 7)}`),
  ],
  ['20,000 rules of many kinds', 'ipv4', () => rules(20_000, (i) => manyKinds(i))],
  ['1,000 states', 'ipv4', () => rules(1000, (i) => `-A INPUT -s ${address(i)} -m conntrack --ctstate NEW -j ACCEPT`)],
  [
    '3,000 calls of one chain',
    'ipv4',
    () => [
      ':shared - [0:0]',
      ...rules(3000, (i) => `-A INPUT -s ${address(i)} -j shared`),
      '-A shared -p tcp -m tcp --dport 1 -j ACCEPT',
    ],
  ],
  [
    '5,000 chains',
    'ipv4',
    () => [
      ...rules(5000, (i) => `:c${i} - [0:0]`),
      ...rules(5000, (i) => `-A INPUT -s ${address(i)} -j c${i}`),
      ...rules(5000, (i) => `-A c${i} -p tcp -j ACCEPT`),
    ],
  ],
];

suite('large tables', ['root', 'btf'], () => {
  const facts = readKernelFacts();
  /** 10.0.0.0 to 10.0.0.0 (IPv4), or all zeros, with no protocol that a rule asks for. */
  const packets = { ipv4: new Uint8Array(40), ipv6: new Uint8Array(60) };
  packets.ipv4.set([0x45, 0, 0, 40]);
  packets.ipv4[9] = 253;
  packets.ipv6.set([0x60, 0, 0, 0, 0, 20, 253]);

  it.each(LARGE)('load: %s', (_name, family, lines) => {
    const policy = filterPolicy(family, ...HEAD, ...lines());
    const { generation, diagnostics } = compileGeneration({ policies: [policy], facts });
    expect(diagnostics).toEqual([]);
    withLoaded(generation!, ({ program, maps }) => {
      const input = generation!.hooks.find(({ hook }) => hook === 'INPUT')!;
      const { retval } = testRun(program(input), netfilterInput(family, 'INPUT', packets[family]));
      expect(retval).toBe(1);
      // No rule matched: the policy of INPUT counted.
      const value = maps.get(MAP_NAMES.counters)!.readValue();
      const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
      const { counter } = policy.chains.find(({ base }) => base?.hook === 'INPUT')!.base!;
      const counted = Array.from({ length: facts.possibleCpus }, (_, cpu) =>
        view.getBigUint64(cpu * generation!.counterStride + counter * 16, true),
      );
      expect(counted.reduce((sum, n) => sum + n)).toBe(1n);
    });
  });
});
