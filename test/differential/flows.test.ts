/** Rules about connections, time and order, and NAT beside filter: bpfilter against the kernel's iptables. */
import { expect, it } from 'vitest';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { UNTRACKED_MARK } from '../support/watch.ts';
import { compare } from './bisect.ts';
import { allFlows, ENDS, markedSyn, tcpFlow, udpFlow } from './flows.ts';
import { nastyStimuli } from './nasties.ts';
import { FORWARD, INPUT, type Phase, type Stimulus } from './stimulus.ts';

const options = { left: kernelFirewall, right: bpfilterFirewall, devices: ['eth0', 'eth1'] };

/** A filter table with these rules and policies ACCEPT. */
function filter(...rules: readonly string[]): string {
  return [
    '*filter',
    ':INPUT ACCEPT [0:0]',
    ':FORWARD ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ...rules,
    'COMMIT',
    '',
  ].join('\n');
}

/** The same rules for all three chains. */
function everywhere(...matches: readonly string[]): readonly string[] {
  return ['INPUT', 'FORWARD', 'OUTPUT'].flatMap((chain) => matches.map((match) => `-A ${chain} ${match}`));
}

const STATES = ['NEW', 'ESTABLISHED', 'RELATED', 'INVALID', 'UNTRACKED'] as const;

function flowsOf(family: Family): readonly Phase[] {
  const marked = [1, 2, 3].map((port) => markedSyn(ENDS[family], 50000 + port, UNTRACKED_MARK));
  return [
    { path: FORWARD, stimuli: [...allFlows(ENDS[family]), ...marked] },
    { path: INPUT, stimuli: [...allFlows(ENDS[family]), ...nastyStimuli(1)] },
  ];
}

suite('connections', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: states, one rule each', (family) => {
    const rules = everywhere(
      ...STATES.map((state) => `-m conntrack --ctstate ${state}`),
      ...STATES.map((state) => `-m state --state ${state}`),
      '-m conntrack ! --ctstate NEW,ESTABLISHED',
      '-m conntrack --ctstate SNAT',
      '-m conntrack --ctstate DNAT',
      '-m conntrack --ctstatus CONFIRMED',
      '-m conntrack --ctstatus SEEN_REPLY,ASSURED',
      '-m conntrack ! --ctstatus ASSURED',
      '-m conntrack --ctproto tcp',
      '-m conntrack --ctorigdstport 80',
      '-m conntrack --ctreplsrcport 53',
      '-m conntrack --ctdir REPLY',
      '-m connmark --mark 0',
      '-m connmark ! --mark 0',
    );
    expect(compare({ [family]: filter(...rules) }, flowsOf(family), options)).toBeUndefined();
  });

  it.each(FAMILIES)('%s: a stateful firewall', (family) => {
    const echo = family === 'ipv4' ? '-p icmp -m icmp --icmp-type 8' : '-p ipv6-icmp -m icmp6 --icmpv6-type 128';
    const rules = [
      '-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      '-A FORWARD -m conntrack --ctstate INVALID -j DROP',
      '-A FORWARD -i eth0 -p tcp -m tcp --dport 80 --syn -j ACCEPT',
      '-A FORWARD -i eth0 -p udp -m udp --dport 53 -j ACCEPT',
      `-A FORWARD -i eth0 ${echo} -j ACCEPT`,
      '-A FORWARD -p tcp -j REJECT --reject-with tcp-reset',
      '-A FORWARD -j REJECT',
      '-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT',
      '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
      '-A INPUT -j DROP',
    ];
    expect(compare({ [family]: filter(...rules) }, flowsOf(family), options)).toBeUndefined();
  });

  it.each(FAMILIES)('%s: both tables that come before connection tracking and after', (family) => {
    const raw =
      '*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING -p udp -m udp --dport 9999 -j DROP\n-A PREROUTING -m conntrack --ctstate INVALID\nCOMMIT\n';
    const security =
      '*security\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A FORWARD -m conntrack --ctstate ESTABLISHED -j DROP\nCOMMIT\n';
    const text =
      raw + filter('-A FORWARD -m conntrack --ctstate NEW', '-A FORWARD -p tcp -m tcp --dport 22 -j DROP') + security;
    expect(compare({ [family]: text }, flowsOf(family), options)).toBeUndefined();
  });
});

suite('marks, limits and counts', DIFFERENTIAL, () => {
  const phases = (family: Family): readonly Phase[] => [
    { path: FORWARD, stimuli: Array.from({ length: 5 }, () => allFlows(ENDS[family])).flat() },
    { path: INPUT, stimuli: allFlows(ENDS[family]) },
  ];

  it.each(FAMILIES)('%s: limit, bursts that do not refill within the test', (family) => {
    const rules = everywhere(
      '-p tcp -m limit --limit 1/hour --limit-burst 7',
      '-p udp -m limit --limit 1/hour --limit-burst 1',
      '-m limit --limit 10/hour --limit-burst 100 -j ACCEPT',
      '-m limit --limit 1/day --limit-burst 1 -j DROP',
    );
    expect(compare({ [family]: filter(...rules) }, phases(family), options)).toBeUndefined();
  });

  it.each(FAMILIES)('%s: statistic, every n-th and the certain and impossible ones at random', (family) => {
    const rules = everywhere(
      '-m statistic --mode nth --every 3 --packet 0',
      '-m statistic --mode nth --every 3 --packet 2',
      '-m statistic --mode nth ! --every 4 --packet 1',
      '-m statistic --mode nth --every 1 --packet 0',
      '-p tcp -m statistic --mode nth --every 5 --packet 0 -j DROP',
      '-m statistic --mode random --probability 0',
      '-m statistic --mode random --probability 1',
      '-m statistic --mode random ! --probability 1',
    );
    expect(compare({ [family]: filter(...rules) }, phases(family), options)).toBeUndefined();
  });

  it.each(FAMILIES)('%s: marks that the mangle table sets', (family) => {
    const mangle = [
      '*mangle',
      ':PREROUTING ACCEPT [0:0]',
      ':INPUT ACCEPT [0:0]',
      ':FORWARD ACCEPT [0:0]',
      ':OUTPUT ACCEPT [0:0]',
      ':POSTROUTING ACCEPT [0:0]',
      '-A PREROUTING -p tcp -j MARK --set-xmark 0x10/0xffffffff',
      '-A PREROUTING -p udp -j MARK --set-xmark 0x12/0xff',
      '-A PREROUTING -p tcp -m tcp --dport 22 -j CONNMARK --set-xmark 0x7/0xffffffff',
      '-A OUTPUT -p tcp -j MARK --set-xmark 0x80000000/0x80000000',
      'COMMIT',
      '',
    ].join('\n');
    const rules = everywhere(
      '-m mark --mark 0x10',
      '-m mark --mark 0x2/0x2 -j DROP',
      '-m mark ! --mark 0x10/0xf0',
      '-m mark --mark 0x80000000/0x80000000',
      '-m connmark --mark 0x7',
      '-m connmark ! --mark 0x7/0xf',
    );
    expect(compare({ [family]: mangle + filter(...rules) }, phases(family), options)).toBeUndefined();
  });
});

const DOCKER = `*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -m conntrack --ctstate DNAT
-A DOCKER-USER -m conntrack --ctstate SNAT
-A DOCKER-USER -j RETURN
COMMIT
`;

suite('nat beside filter', DIFFERENTIAL, () => {
  it('a published container port, and the container asking the world', () => {
    const docker = { ...options, devices: ['eth0', 'docker0'] };
    const published = {
      family: 'ipv4',
      client: '203.0.113.9',
      server: '172.17.0.2',
      serverAlias: '10.200.0.1',
    } as const;
    const stimuli: Stimulus[] = [...tcpFlow(published, { client: 41000, server: 80, alias: 8080 })];
    stimuli.push(
      ...udpFlow({ family: 'ipv4', client: '203.0.113.9', server: '172.17.0.2' }, { client: 41001, server: 53 }),
    );
    expect(compare({ ipv4: DOCKER }, [{ path: FORWARD, stimuli }], docker)).toBeUndefined();
  });
});
