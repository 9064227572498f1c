/** What is done to early drop behind table raw, one condition at a time: see early-gates.test.ts. */

import { memberPlace } from '../../src/codegen/netfilter/context.ts';
import { GATE } from '../../src/codegen/xdp/gate.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { icmp, type Payload, TCP_FLAGS, tcp, udp } from '../../src/packet/transport.ts';
import { ADDRESS } from '../support/small-lab.ts';

const SYN = tcp({ source: 1000, destination: 22, flags: TCP_FLAGS.SYN });

export interface Fields {
  readonly source?: string;
  readonly destination?: string;
  readonly hops?: number;
  readonly dontFragment?: boolean;
}

export interface Case {
  readonly name: string;
  readonly family: Family;
  readonly payload?: Payload;
  readonly fields?: Fields;
  /** How often the DROP rule counts it. */
  readonly counts: 0 | 1;
  /** Absent: the stack gets it. */
  readonly early?: true;
  /** Commands in the filtered namespace: before rules are applied, after that, and what undoes them. */
  readonly setup?: readonly string[];
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  /** What the apply says, in part. */
  readonly says?: string;
  /** Changes what the gate has been told, in place: what cannot be brought about without changing the whole machine, or waiting for chance. */
  readonly tell?: (gate: Buffer) => void;
}

export const ip = (...lines: readonly string[]): readonly string[] => lines.map((line) => `ip ${line}`);
export const sysctl = (name: string, value: number): string => `sysctl -qw net.${name}=${value}`;

export const INPUT: readonly Case[] = [
  { name: 'a datagram', family: 'ipv4', counts: 1, early: true },
  { name: 'a datagram', family: 'ipv6', counts: 1, early: true },
  { name: 'TCP', family: 'ipv4', payload: tcp({ flags: TCP_FLAGS.ACK }), counts: 1, early: true },
  { name: 'our own source', family: 'ipv4', fields: { source: ADDRESS.filtered }, counts: 0 },
  {
    name: 'our own source, accepted',
    family: 'ipv4',
    fields: { source: ADDRESS.filtered },
    counts: 1,
    early: true,
    before: [sysctl('ipv4.conf.f0.accept_local', 1)],
    after: [sysctl('ipv4.conf.f0.accept_local', 0)],
  },
  { name: 'source 127.0.0.1', family: 'ipv4', fields: { source: '127.0.0.1' }, counts: 0 },
  { name: 'source 0.0.0.0', family: 'ipv4', fields: { source: '0.0.0.0' }, counts: 0 },
  { name: 'source 224.0.0.1', family: 'ipv4', fields: { source: '224.0.0.1' }, counts: 0 },
  { name: 'destination 127.0.0.1', family: 'ipv4', fields: { destination: '127.0.0.1' }, counts: 0 },
  { name: 'somebody else', family: 'ipv4', fields: { destination: '10.77.0.9' }, counts: 0 },
  {
    name: 'broadcast address',
    family: 'ipv4',
    fields: { destination: '10.77.0.255' },
    counts: 1,
    before: ip('addr add 10.77.0.3/24 brd + dev f0'),
    after: ip('addr del 10.77.0.3/24 dev f0'),
  },
  {
    name: 'rp_filter, no way back',
    family: 'ipv4',
    fields: { source: '10.99.0.1' },
    counts: 0,
    before: [sysctl('ipv4.conf.f0.rp_filter', 1)],
    after: [sysctl('ipv4.conf.f0.rp_filter', 0)],
  },
  {
    name: 'rp_filter and forwarding, the way back',
    family: 'ipv4',
    counts: 1,
    early: true,
    before: [sysctl('ipv4.conf.f0.rp_filter', 1), sysctl('ipv4.conf.f0.forwarding', 1)],
    after: [sysctl('ipv4.conf.f0.rp_filter', 0), sysctl('ipv4.conf.f0.forwarding', 0)],
  },
  {
    name: 'rp_filter and forwarding, the way back elsewhere',
    family: 'ipv4',
    fields: { source: '10.78.0.7' },
    counts: 0,
    before: [sysctl('ipv4.conf.f0.rp_filter', 1), sysctl('ipv4.conf.f0.forwarding', 1)],
    after: [sysctl('ipv4.conf.f0.rp_filter', 0), sysctl('ipv4.conf.f0.forwarding', 0)],
  },
  {
    name: "somebody's chain, there before the rules",
    family: 'ipv4',
    counts: 0,
    setup: ['nft add table inet x', "nft 'add chain inet x y { type filter hook input priority -10; policy drop; }'"],
    says: 'early drop of ipv4: nothing of chain INPUT: ',
    after: ['nft delete table inet x'],
  },
  {
    name: "somebody's chain between our tables",
    family: 'ipv4',
    counts: 1,
    setup: ['nft add table inet x', "nft 'add chain inet x y { type filter hook prerouting priority -200; }'"],
    says: 'early drop of ipv4: nothing behind table raw: ',
    after: ['nft delete table inet x'],
  },
  {
    name: "the kernel's own rules, there before",
    family: 'ipv4',
    counts: 0,
    setup: ['XTABLES_LOCKFILE=/run/ea.lock iptables-legacy -t mangle -A INPUT -j DROP'],
    says: 'early drop of ipv4: nothing of chain INPUT: mangle ',
    after: ['XTABLES_LOCKFILE=/run/ea.lock iptables-legacy -t mangle -F'],
  },
  {
    name: "somebody's chain in the place of a harmless one",
    family: 'ipv4',
    counts: 0,
    setup: ['nft add table inet x', "nft 'add chain inet x z { type filter hook input priority 100; }'"],
    before: [
      'nft delete chain inet x z',
      "nft 'add chain inet x y { type filter hook input priority -10; policy drop; }'",
    ],
    after: ['nft delete table inet x'],
  },
  {
    name: 'a harmless chain behind ours',
    family: 'ipv4',
    counts: 1,
    early: true,
    setup: ['nft add table inet x', "nft 'add chain inet x z { type filter hook input priority 100; policy drop; }'"],
    after: ['nft delete table inet x'],
  },
  {
    name: 'another number of hooks in the same place',
    family: 'ipv4',
    counts: 1,
    tell: (value) => value.writeUInt32LE(value.readUInt32LE(GATE.counts + 4) + 1, GATE.counts + 4),
  },
  {
    name: "rules in the kernel's own table",
    family: 'ipv4',
    counts: 0,
    setup: ['XTABLES_LOCKFILE=/run/ea.lock iptables-legacy -t mangle -S'],
    before: ['XTABLES_LOCKFILE=/run/ea.lock iptables-legacy -t mangle -A INPUT -j DROP'],
    after: ['XTABLES_LOCKFILE=/run/ea.lock iptables-legacy -t mangle -F'],
  },
];

const local = (...words: readonly string[]): readonly string[] => ip(`route add local ${words.join(' ')} table local`);
const noLocal = (...words: readonly string[]): readonly string[] =>
  ip(`route del local ${words.join(' ')} table local`);

/** They leave a namespace behind that has once had routes or rules of its own: the source of a packet is tested more thoroughly there. */
export const ROUTES: readonly Case[] = [
  {
    name: 'route to the address gone',
    family: 'ipv6',
    counts: 0,
    before: ip(`-6 route del local ${ADDRESS.filtered6} dev f0 table local`),
    after: ip(`-6 addr del ${ADDRESS.filtered6}/64 dev f0`, `-6 addr add ${ADDRESS.filtered6}/64 dev f0 nodad`),
  },
  ...(['ipv4', 'ipv6'] as const).flatMap((family): Case[] => {
    const option = family === 'ipv4' ? '-4' : '-6';
    return [
      {
        name: 'a rule of routing behind table local',
        family,
        counts: 1,
        ...(family === 'ipv6' ? { early: true } : {}),
        before: ip(`${option} rule add pref 100 from all blackhole`),
        after: ip(`${option} rule del pref 100`),
      },
      {
        name: 'a rule of routing before table local',
        family,
        counts: 0,
        before: ip(
          `${option} rule add pref 200 lookup local`,
          `${option} rule del pref 0`,
          `${option} rule add pref 100 blackhole`,
        ),
        after: ip(
          `${option} rule del pref 100`,
          `${option} rule add pref 0 lookup local`,
          `${option} rule del pref 200`,
        ),
      },
      {
        name: 'a rule before table local, from before',
        family,
        counts: 0,
        setup: ip(
          `${option} rule add pref 200 lookup local`,
          `${option} rule del pref 0`,
          `${option} rule add pref 100 blackhole`,
        ),
        after: ip(
          `${option} rule del pref 100`,
          `${option} rule add pref 0 lookup local`,
          `${option} rule del pref 200`,
        ),
      },
      {
        name: "somebody else's chain at INPUT",
        family,
        counts: 0,
        before: [
          'nft add table inet x',
          "nft 'add chain inet x y { type filter hook input priority -10; policy drop; }'",
        ],
        after: ['nft delete table inet x'],
      },
      {
        name: "somebody else's chain at PREROUTING",
        family,
        counts: 0,
        before: [
          'nft add table inet x',
          "nft 'add chain inet x y { type filter hook prerouting priority 0; policy drop; }'",
        ],
        after: ['nft delete table inet x'],
      },
    ];
  }),
  {
    name: 'routes by source',
    family: 'ipv6',
    counts: 1,
    before: ip('-6 route add fd99::/64 from fd77::/64 dev f0'),
    after: ip('-6 route del fd99::/64 from fd77::/64 dev f0'),
  },
  {
    name: 'routes with realms',
    family: 'ipv4',
    counts: 1,
    before: ip('route add 10.44.0.0/24 dev f0 realm 3'),
    after: ip('route del 10.44.0.0/24 dev f0 realm 3'),
  },
  ...(
    [
      ['for one type of service', '10.77.0.5', 'dev f0 tos 0x10', 0],
      ['by a nexthop object', '10.77.0.6', 'nhid 7', 1],
      ['into a lightweight tunnel', '10.77.0.8', 'encap ip id 5 dst 10.78.0.2 dev lo', 1],
    ] as const
  ).map(
    ([name, destination, how, counts]): Case => ({
      name: `a local route ${name}`,
      family: 'ipv4',
      fields: { destination },
      counts,
      // Else nothing behind local routes of one's own is early.
      before: [sysctl('ipv4.conf.f0.accept_local', 1), ...ip('nexthop add id 7 dev f0'), ...local(destination, how)],
      after: [...noLocal(destination, how), ...ip('nexthop del id 7'), sysctl('ipv4.conf.f0.accept_local', 0)],
    }),
  ),
  {
    name: 'route to the address gone',
    family: 'ipv4',
    counts: 0,
    before: ip(`route del local ${ADDRESS.filtered} dev f0 table local`),
    after: ip(`route add local ${ADDRESS.filtered} dev f0 table local proto kernel scope host src ${ADDRESS.filtered}`),
  },
];

/** In a namespace that has had neither. */
export const LOCAL_ROUTES: readonly Case[] = [
  {
    name: 'a local route',
    family: 'ipv4',
    counts: 1,
    before: ip('route add local 10.55.0.1 dev lo'),
    after: ip('route del local 10.55.0.1 dev lo'),
  },
];

export const TRACKED: readonly Case[] = [
  { name: 'SYN', family: 'ipv4', payload: SYN, counts: 1, early: true },
  { name: 'SYN', family: 'ipv6', payload: SYN, counts: 1, early: true },
  { name: 'a datagram', family: 'ipv4', counts: 1, early: true },
  { name: 'a datagram', family: 'ipv6', counts: 1, early: true },
  {
    name: 'no checksum',
    family: 'ipv4',
    payload: udp({ checksum: 0, data: new Uint8Array(5) }),
    counts: 1,
    early: true,
  },
  { name: 'a wrong checksum', family: 'ipv4', payload: udp({ checksum: 'bad' }), counts: 0 },
  { name: 'a wrong checksum', family: 'ipv6', payload: udp({ checksum: 'bad' }), counts: 0 },
  { name: 'SYN with a wrong checksum', family: 'ipv4', payload: tcp({ flags: 2, checksum: 'bad' }), counts: 0 },
  { name: 'a wrong length', family: 'ipv4', payload: udp({ length: 40, checksum: 0 }), counts: 0 },
  { name: 'no SYN', family: 'ipv4', payload: tcp({ flags: TCP_FLAGS.ACK }), counts: 1 },
  { name: 'SYN and FIN', family: 'ipv4', payload: tcp({ flags: 3 }), counts: 0 },
  { name: 'ICMP', family: 'ipv4', payload: icmp({ type: 8 }), counts: 1 },
  {
    name: 'no checksum',
    family: 'ipv6',
    payload: udp({ checksum: 0, data: new Uint8Array(5) }),
    counts: 1,
    early: true,
  },
  {
    name: 'a datagram of many bytes',
    family: 'ipv4',
    payload: udp({ data: new Uint8Array(1472) }),
    counts: 1,
    early: true,
  },
  {
    name: 'SYN with payload',
    family: 'ipv4',
    payload: tcp({ flags: 2, data: new Uint8Array(9) }),
    counts: 1,
    early: true,
  },
  {
    name: 'SYN with options',
    family: 'ipv4',
    payload: tcp({ flags: 2, options: Uint8Array.of(2, 4, 5, 180) }),
    counts: 1,
    early: true,
  },
  { name: 'SYN with a data offset beyond it', family: 'ipv4', payload: tcp({ flags: 2, dataOffset: 7 }), counts: 0 },
  {
    name: 'SYN with a data offset below the least',
    family: 'ipv4',
    payload: tcp({ flags: 2, dataOffset: 4 }),
    counts: 0,
  },
  {
    name: 'the table of connections is full',
    family: 'ipv4',
    counts: 1,
    // As if there were room for as many as there are.
    tell: (value) => {
      const count = memberPlace(readKernelFacts(), 'nf_conntrack_net.count').offset;
      value.writeBigUInt64LE(value.readBigUInt64LE(GATE.conntrack) + BigInt(count), GATE.most);
    },
  },
  {
    name: 'INVALID is logged',
    family: 'ipv4',
    counts: 1,
    before: [sysctl('netfilter.nf_conntrack_log_invalid', 255)],
    after: [sysctl('netfilter.nf_conntrack_log_invalid', 0)],
  },
  {
    name: 'with an entry',
    family: 'ipv4',
    counts: 1,
    before: [`conntrack -I -p udp -s ${ADDRESS.peer} -d ${ADDRESS.filtered} --sport 1000 --dport 53 -t 60`],
    after: ['conntrack -F'],
  },
  {
    name: 'with an entry the other way round',
    family: 'ipv4',
    counts: 0,
    before: [`conntrack -I -p udp -s ${ADDRESS.filtered} -d ${ADDRESS.peer} --sport 53 --dport 1000 -t 60`],
    after: ['conntrack -F'],
  },
  {
    name: 'a connection is expected',
    family: 'ipv4',
    counts: 1,
    before: [
      `nft 'table ip x { ct helper t { type "tftp" protocol udp; }; chain y { type filter hook output priority 0; udp dport 69 ct helper set "t"; }; }'`,
      `bash -c "printf '\\\\0\\\\1f\\\\0octet\\\\0' > /dev/udp/${ADDRESS.peer}/69"`,
      'conntrack -L expect | grep -q 69',
    ],
    after: ['conntrack -F expect', 'conntrack -F', 'nft delete table ip x'],
  },
];
