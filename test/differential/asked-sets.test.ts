/** `-m set`: the kernel looks packets up in ipsets ahead of our programs, against iptables doing it itself. */
import { expect, it } from 'vitest';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { ADDRESSES, filter, ipset, phasesOf, stimuliOf, twinOptions } from './asking.ts';
import { differences, runTwins, type Side, withTwins } from './twin.ts';

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

suite('sets', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: every type, every side, negated, in every place', (family) => {
    const options = twinOptions((namespace) => ipset(namespace, setsOf(family)));
    const places = [
      ['filter', 'INPUT'],
      ['filter', 'FORWARD'],
      ['filter', 'OUTPUT'],
      ['raw', 'PREROUTING'],
    ] as const;
    for (const [table, chain] of places) {
      const [left, right] = runTwins({ [family]: filter(setRules(family, chain), table) }, phasesOf(family), options);
      expect(left.saved[family]).toMatch(/^\[[1-9]\d*:\d+\] -A \w+ -m set --match-set hip /m);
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
