/** Matches that the kernel answers ahead of our programs, against iptables asking itself: same sets, same fingerprints, same sockets. */
import { expect, it } from 'vitest';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { ipv4, ipv6 } from '../../src/packet/craft.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { icmp, type Payload, sctp, TCP_FLAGS, tcp, truncated, udp } from '../../src/packet/transport.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { run } from '../support/command.ts';
import { type FirewallKind, kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { macOf } from '../support/topology.ts';
import { nastyStimuli } from './nasties.ts';
import { FORWARD, frameAround, INPUT, type Phase, type Stimulus } from './stimulus.ts';
import { differences, runTwins, type Side, withTwins } from './twin.ts';

const DEVICES = ['eth0', 'eth1'];

/** The same firewall in a namespace that has been prepared: by programs of the system that make what rules name. */
function prepared(kind: FirewallKind, prepare: (namespace: string) => void): FirewallKind {
  return {
    label: kind.label,
    open(namespace) {
      prepare(namespace);
      return kind.open(namespace);
    },
  };
}

/** bpfilter, which must not leave the table with the kernel. */
const asking: FirewallKind = {
  label: 'bpfilter',
  open(namespace) {
    const firewall = bpfilterFirewall.open(namespace);
    return {
      ...firewall,
      apply(sets) {
        firewall.apply(sets);
        for (const family of Object.keys(sets) as Family[]) expect(askedChains(namespace, family)).not.toEqual([]);
      },
    };
  },
};

/** Names of the chains that ask, in a family. */
function askedChains(namespace: string, family: Family): readonly string[] {
  const list = withNamespace(namespace, () => run('nft', ['list', 'chains', family === 'ipv4' ? 'ip' : 'ip6']));
  return [...list.matchAll(/chain (asked_\S+)/g)].map((found) => found[1] ?? '');
}

/** `ipset restore`, inside a namespace. */
function ipset(namespace: string, lines: readonly string[]): void {
  withNamespace(namespace, () => run('ipset', ['restore'], `${lines.join('\n')}\n`));
}

const ADDRESSES = {
  ipv4: ['10.1.0.1', '10.1.0.7', '10.2.0.1', '10.200.0.1', '192.168.3.4'],
  ipv6: ['fd01::1', 'fd01::7', 'fd02::1', 'fdbf:0::1', '2001:db8::4'],
} as const satisfies Record<Family, readonly string[]>;
const NET = {
  ipv4: ['10.1.0.0/24', '10.1.0.4/30', '192.168.0.0/16'],
  ipv6: ['fd01::/64', 'fd01::4/126', '2001:db8::/32'],
};

/** Sets of every type that this kernel has. */
function setsOf(family: Family): readonly string[] {
  const [a, b, c, d, e] = ADDRESSES[family];
  const [net, hole, wide] = NET[family];
  const f = family === 'ipv4' ? '' : ' family inet6';
  const icmpType = family === 'ipv4' ? 'icmp:echo-request' : 'icmpv6:echo-request';
  return [
    ...(family === 'ipv4'
      ? [
          'create bip bitmap:ip range 10.1.0.0/24',
          'add bip 10.1.0.1',
          'create bipm bitmap:ip range 10.1.0.0/16 netmask 24',
          'add bipm 10.1.0.0',
        ]
      : []),
    'create bport bitmap:port range 0-1024',
    'add bport 53',
    'add bport 80',
    `create hip hash:ip${f}`,
    `add hip ${a}`,
    `add hip ${e}`,
    `create hipt hash:ip${f} timeout 3000 comment`,
    `add hipt ${b} comment "one"`,
    `create hnet hash:net${f}`,
    `add hnet ${net}`,
    `add hnet ${hole} nomatch`,
    `add hnet ${wide}`,
    `create hipport hash:ip,port${f}`,
    `add hipport ${a},tcp:80`,
    `add hipport ${a},udp:53`,
    `add hipport ${b},${icmpType}`,
    `add hipport ${c},sctp:80`,
    `create hipportip hash:ip,port,ip${f}`,
    `add hipportip ${a},tcp:80,${c}`,
    `add hipportip ${a},udp:53,${d}`,
    `create hipportnet hash:ip,port,net${f}`,
    `add hipportnet ${c},tcp:80,${net}`,
    `add hipportnet ${c},tcp:80,${hole} nomatch`,
    `create hnetport hash:net,port${f}`,
    `add hnetport ${net},tcp:80`,
    `add hnetport ${hole},tcp:80 nomatch`,
    `create hnetiface hash:net,iface${f}`,
    `add hnetiface ${net},eth0`,
    `add hnetiface ${wide},eth1`,
    'create list list:set',
    'add list hip',
    'add list hnetport',
    'add list bport',
  ];
}

/** Every set with every choice of sides, too few and too many of them as well. */
function setRules(family: Family, chain: string): readonly string[] {
  const dimensions: Readonly<Record<string, number>> = {
    ...(family === 'ipv4' ? { bip: 1, bipm: 1 } : {}),
    ...{
      bport: 1,
      hip: 1,
      hipt: 1,
      hnet: 1,
      hipport: 2,
      hipportip: 3,
      hipportnet: 3,
      hnetport: 2,
      hnetiface: 2,
      list: 3,
    },
  };
  return Object.entries(dimensions).flatMap(([name, most]) =>
    Array.from({ length: most + 1 }, (_, more) => more + 1)
      .flatMap((length) => sidesOf(length))
      .flatMap((sides, at) => [
        `-A ${chain} -m set --match-set ${name} ${sides}`,
        ...(at % 3 === 0 ? [`-A ${chain} -m set ! --match-set ${name} ${sides}`] : []),
        ...(at % 4 === 0
          ? [`-A ${chain} -p tcp -m set --match-set ${name} ${sides} --return-nomatch -m tcp --dport 80`]
          : []),
      ]),
  );
}

function sidesOf(length: number): readonly string[] {
  return Array.from({ length: 2 ** length }, (_, bits) =>
    Array.from({ length }, (_, at) => ((bits >> at) & 1 ? 'src' : 'dst')).join(','),
  );
}

function packetOf(family: Family, source: string, destination: string, payload: Payload): Uint8Array {
  return family === 'ipv4'
    ? ipv4({ source, destination, ttl: 9, id: 7 }, payload)
    : ipv6({ source, destination }, payload);
}

function payloadsOf(family: Family): readonly Payload[] {
  const echo = icmp({ type: family === 'ipv4' ? 8 : 128, data: new Uint8Array(8) });
  return [
    tcp({ source: 80, destination: 4000, flags: TCP_FLAGS.ACK }),
    tcp({ source: 4000, destination: 80, flags: TCP_FLAGS.SYN }),
    udp({ source: 53, destination: 53, data: new Uint8Array(4) }),
    udp({ source: 4000, destination: 2000, data: new Uint8Array(4) }),
    sctp({ source: 80, destination: 80 }),
    echo,
    truncated(tcp({ source: 4000, destination: 80 }), 3),
  ];
}

function stimuliOf(family: Family): readonly Stimulus[] {
  const addresses = ADDRESSES[family];
  return addresses.flatMap((source) =>
    addresses.flatMap((destination, at) =>
      payloadsOf(family).map((payload, index): Stimulus => {
        const device = (at + index) % 2;
        return {
          kind: 'frame',
          device,
          frame: frameAround(packetOf(family, source, destination, payload), macOf(device)),
        };
      }),
    ),
  );
}

function phasesOf(family: Family): readonly Phase[] {
  const stimuli = stimuliOf(family);
  const local = ADDRESSES[family].flatMap((destination) =>
    payloadsOf(family).map(
      (payload): Stimulus => ({
        kind: 'local',
        family,
        packet: packetOf(family, family === 'ipv4' ? '10.200.0.1' : 'fdbf:0::1', destination, payload),
      }),
    ),
  );
  return [
    { path: FORWARD, stimuli: [...stimuli, ...nastyStimuli(1)] },
    { path: INPUT, stimuli: [...stimuli, ...local, ...nastyStimuli(1)] },
  ];
}

function filter(rules: readonly string[], table = 'filter'): string {
  const chains = table === 'filter' ? ['INPUT', 'FORWARD', 'OUTPUT'] : ['PREROUTING', 'OUTPUT'];
  return [`*${table}`, ...chains.map((name) => `:${name} ACCEPT [0:0]`), ...rules, 'COMMIT', ''].join('\n');
}

function twinOptions(prepare: (namespace: string) => void) {
  return { left: prepared(kernelFirewall, prepare), right: prepared(asking, prepare), devices: DEVICES };
}

suite('sets', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: every type, every side, negated, live', (family) => {
    const options = twinOptions((namespace) => ipset(namespace, setsOf(family)));
    const all = ['INPUT', 'FORWARD', 'OUTPUT'].map((chain) => setRules(family, chain));
    for (const rules of all) {
      const [left, right] = runTwins({ [family]: filter(rules) }, phasesOf(family), options);
      expect(differences(left, right)).toEqual([]);
    }
  });

  it.each(FAMILIES)(
    '%s: ipset add, del, swap and flush are seen at once, and a set in use cannot be destroyed',
    (family) => {
      const [a, b, c] = ADDRESSES[family];
      const type = family === 'ipv4' ? 'hash:ip' : 'hash:ip family inet6';
      const options = twinOptions((namespace) =>
        ipset(namespace, [
          `create one ${type}`,
          `create two ${type}`,
          `add one ${a}`,
          `add two ${b}`,
          'create unused bitmap:port range 0-9',
        ]),
      );
      const rules = [
        '-A FORWARD -m set --match-set one src -j DROP',
        '-A FORWARD -m set ! --match-set two dst',
        '-A FORWARD -m set --match-set one dst -j ACCEPT',
        ':dead - [0:0]',
        '-A dead -m set --match-set unused dst',
      ];
      const sorted = [
        ...rules.filter((rule) => rule.startsWith(':')),
        ...rules.filter((rule) => !rule.startsWith(':')),
      ];
      const changes = [
        [],
        [`add one ${b}`],
        [`del one ${a}`],
        ['swap one two'],
        ['flush one', `add two ${c}`],
        [`add one ${c}`],
      ];
      const found = withTwins({ [family]: filter(sorted) }, options, (left, right) => {
        const round = (side: Side, lines: readonly string[]) => {
          side.topology.deliver({ kind: 'forward', shift: 1 });
          if (lines.length > 0) ipset(side.topology.namespace, lines);
          return stimuliOf(family).map((stimulus) => side.send(stimulus));
        };
        const outcomes = changes.map((lines) => {
          const sent = [round(left, lines), round(right, lines)] as const;
          left.settle();
          right.settle();
          return differences(left.observe(sent[0]), right.observe(sent[1]));
        });
        for (const side of [left, right]) {
          for (const name of ['one', 'unused'])
            expect(() => ipset(side.topology.namespace, [`destroy ${name}`])).toThrow('in use');
        }
        right.firewall.close();
        ipset(right.topology.namespace, ['destroy one', 'destroy unused']);
        return outcomes.flat();
      });
      expect(found).toEqual([]);
    },
  );
});
