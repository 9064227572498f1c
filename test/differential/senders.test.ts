/** Rules about who sends a packet, against iptables: control groups, classes, groups of the owner. And about bridge ports, with real senders. */
import { existsSync, mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { policiesOf } from '../generate/policies.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { ipBatch, run, works } from '../support/command.ts';
import { type FirewallKind, kernelFirewall } from '../support/firewalls.ts';
import { savedDifferences } from '../support/saved.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { addressesOn } from '../support/topology.ts';
import { DEVICES, filter } from './asking.ts';
import { differences, type Side, withTwins } from './twin.ts';

/** Sends a datagram from the device under test, as somebody: `who` are words before the shell. */
function send(side: Side, family: Family, who: readonly string[], before = ''): void {
  const to = addressesOn(0, 2)[family];
  const namespace = side.topology.namespace;
  run('ip', ['netns', 'exec', namespace, ...who, 'bash', '-c', `${before} echo one >/dev/udp/${to}/53`]);
}

function compareSenders(family: Family, matches: readonly string[], act: (side: Side) => void): string {
  const lines = ['INPUT', 'OUTPUT'].flatMap((chain) => matches.map((match) => `-A ${chain} ${match}`));
  const text = filter(matches.some((match) => match.includes('owner')) ? lines.slice(matches.length) : lines);
  policiesOf(text, family);
  const options = { left: kernelFirewall, right: bpfilterFirewall, devices: DEVICES, hosts: true };
  return withTwins({ [family]: text }, options, (left, right) => {
    for (const side of [left, right]) {
      act(side);
      side.settle();
    }
    const [ours, theirs] = [left.observe([]), right.observe([])];
    expect(differences(ours, theirs, { frames: 'none' })).toEqual([]);
    return ours.saved[family];
  });
}

suite('senders', DIFFERENTIAL, () => {
  it.runIf(works('setpriv', ['--version'])).each(FAMILIES)('%s: supplementary groups', (family) => {
    const matches = [
      '--gid-owner 7 --suppl-groups',
      '! --gid-owner 7 --suppl-groups',
      '--gid-owner 7',
      '--gid-owner 6-6 --suppl-groups',
      '--gid-owner 8-20 --suppl-groups',
      '--uid-owner 1000 --gid-owner 5-7 --suppl-groups',
      '! --uid-owner 1000 --gid-owner 5 --suppl-groups --socket-exists',
      '! --gid-owner 100 --suppl-groups ! --socket-exists',
    ].map((words) => `-m owner ${words}`);
    const saved = compareSenders(family, matches, (side) => {
      const as = (uid: number, gid: number, groups: string): void =>
        send(side, family, ['setpriv', '--reuid', String(uid), '--regid', String(gid), '--groups', groups]);
      as(1000, 100, '5,7,20');
      as(1000, 7, '5');
      as(1001, 100, '8,9');
      as(0, 0, '0');
      as(1001, 6, '4,65534');
    });
    expect(saved).toMatch(/^\[[1-9]\d*:\d+\] -A OUTPUT -m owner --gid-owner 7 --suppl-groups/m);
  });

  it.each(FAMILIES)('%s: control groups by path', (family) => {
    const root = mkdtempSync(join(tmpdir(), 'bpfilter-cgroup-'));
    run('mount', ['-t', 'cgroup2', 'none', root]);
    const [outer, inner, other] = ['bf-outer', 'bf-outer/inner', 'bf-other'].map((name) =>
      `${name}-${process.pid}`.replace(`/inner-${process.pid}`, `-${process.pid}/inner`),
    ) as [string, string, string];
    try {
      for (const path of [outer, inner, other]) mkdirSync(join(root, path));
      const matches = [outer, inner, other, '/'].flatMap((path) => [
        `-m cgroup --path ${path}`,
        `-m cgroup ! --path ${path}`,
      ]);
      const saved = compareSenders(family, matches, (side) => {
        for (const path of [outer, inner, other, undefined]) {
          send(side, family, [], path === undefined ? '' : `echo $$ >${join(root, path, 'cgroup.procs')};`);
        }
      });
      expect(saved).toMatch(new RegExp(`^\\[[1-9]\\d*:\\d+\\] -A OUTPUT -m cgroup --path "?${outer}"?$`, 'm'));
    } finally {
      for (const path of [inner, outer, other]) if (existsSync(join(root, path))) rmdirSync(join(root, path));
      run('umount', [root]);
      rmdirSync(root);
    }
  });

  it.each(FAMILIES)('%s: classes', (family) => {
    const matches = ['0', '0x10001', '4294967295'].flatMap((id) => [
      `-m cgroup --cgroup ${id}`,
      `-m cgroup ! --cgroup ${id}`,
    ]);
    const saved = compareSenders(family, matches, (side) => send(side, family, []));
    expect(saved).toMatch(/^\[[1-9]\d*:\d+\] -A OUTPUT -m cgroup --cgroup 0/m);
  });
});

/**
 * Two hosts on the ports of a bridge, which filters what it forwards and has addresses of its own. Without ARP, IPv6 joins no groups,
 * so nobody speaks unasked.
 */
function bridgeCounters(kind: FirewallKind, name: string, text: string, family: Family): string {
  const hosts = [`${name}-a`, `${name}-b`];
  const all = [name, ...hosts];
  const mac = (place: number): string => `02:be:00:00:00:0${place}`;
  const address = (place: number): string => (family === 'ipv4' ? `10.9.0.${place}` : `fd09::${place}`);
  const length = family === 'ipv4' ? 24 : '64 nodad';
  ipBatch(all.map((namespace) => `netns add ${namespace}`));
  const firewall = kind.open(name);
  try {
    for (const namespace of all)
      withNamespace(namespace, () =>
        run('sysctl', [
          '-qw',
          ...['accept_dad', 'accept_ra', 'router_solicitations', 'addr_gen_mode'].map(
            (key) => `net.ipv6.conf.default.${key}=${key === 'addr_gen_mode' ? 1 : 0}`,
          ),
        ]),
      );
    ipBatch(
      [
        'link add br0 type bridge mcast_snooping 0',
        `link set br0 address ${mac(3)} multicast off arp off`,
        'link set br0 up',
      ],
      { namespace: name },
    );
    hosts.forEach((host, at) => {
      ipBatch(
        [
          `link add eth0 address ${mac(at + 1)} multicast off arp off type veth peer name port${at} netns ${name}`,
          'link set eth0 up',
          `addr add ${address(at + 1)}/${length} dev eth0`,
          ...[1, 2, 3].map((place) => `neigh add ${address(place)} lladdr ${mac(place)} dev eth0`),
        ],
        { namespace: host },
      );
      ipBatch(
        [
          `link set port${at} multicast off master br0`,
          `link set port${at} up`,
          `neigh add ${address(at + 1)} lladdr ${mac(at + 1)} dev br0`,
        ],
        { namespace: name },
      );
    });
    ipBatch([`addr add ${address(3)}/${length} dev br0`], { namespace: name });
    withNamespace(name, () =>
      run('sysctl', ['-qw', 'net.bridge.bridge-nf-call-iptables=1', 'net.bridge.bridge-nf-call-ip6tables=1']),
    );
    firewall.apply({ [family]: text });
    const say = (from: string, to: number, times: number): void => {
      const words = Array.from({ length: times }, () => `echo some >/dev/udp/${address(to)}/53;`).join(' ');
      run('ip', ['netns', 'exec', from, 'bash', '-c', words]);
    };
    say(hosts[0]!, 2, 3);
    say(hosts[1]!, 1, 4);
    say(hosts[0]!, 3, 1);
    say(hosts[1]!, 3, 2);
    say(name, 1, 1);
    say(name, 2, 1);
    return firewall.save(family);
  } finally {
    firewall.close();
    ipBatch(all.map((namespace) => `netns del ${namespace}`));
  }
}

suite('bridges', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: the ports that a packet comes by and leaves by', (family) => {
    const into = [
      '--physdev-in port0',
      '! --physdev-in port0',
      '--physdev-in port+',
      '--physdev-in port1 --physdev-is-bridged',
      '--physdev-is-in',
      '! --physdev-is-in',
      '--physdev-is-bridged',
      '! --physdev-is-bridged',
      '--physdev-in port',
      '! --physdev-in p+',
    ].map((words) => `-m physdev ${words}`);
    const out = [
      '--physdev-out port1',
      '! --physdev-out port1',
      '--physdev-is-out',
      '! --physdev-is-out',
      '--physdev-in port0 --physdev-out port1',
      '! --physdev-in port1 --physdev-out p+ --physdev-is-bridged',
      '! --physdev-out port0 --physdev-is-bridged',
      '! --physdev-in port0 ! --physdev-out port1 ! --physdev-is-bridged',
    ].map((words) => `-m physdev ${words}`);
    const rules = [
      ...['INPUT', 'FORWARD', 'OUTPUT'].flatMap((chain) => into.map((match) => `-A ${chain} ${match}`)),
      ...['INPUT', 'FORWARD'].flatMap((chain) => out.map((match) => `-A ${chain} ${match}`)),
      '-A FORWARD -m mac --mac-source 02:be:00:00:00:01',
      '-A FORWARD -m pkttype --pkt-type unicast',
    ];
    const text = filter(rules);
    policiesOf(text, family);
    const name = `bfn-${process.pid}-${family}`;
    const [left, right] = [kernelFirewall, bpfilterFirewall].map((kind) => bridgeCounters(kind, name, text, family));
    expect(left).toMatch(/^\[[1-9]\d*:\d+\] -A FORWARD -m physdev +--physdev-in port0 --physdev-out port1/m);
    expect(savedDifferences(left!, right!)).toEqual([]);
  });
});
