/** Real sockets on the device under test: rules about who owns a packet, and whole conversations of real stacks. */
import { expect, it } from 'vitest';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { askByTcp, askByUdp, type Talk } from '../support/talk.ts';
import { differences, type Side, withTwins } from './twin.ts';

const options = { left: kernelFirewall, right: bpfilterFirewall, devices: ['eth0', 'eth1'], hosts: true };
/** Acknowledgments may be delayed by a timer, differently on the two sides: a difference must show this often in a row. */
const ATTEMPTS = 3;

function compareTalks(text: string, family: Family, talks: (side: Side) => unknown): readonly string[] {
  let found: readonly string[] = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    found = withTwins({ [family]: text }, options, (left, right) => {
      const results = [talks(left), talks(right)];
      left.settle();
      right.settle();
      const counters = differences(left.observe([]), right.observe([]), { frames: 'none' });
      const [ours, theirs] = results.map((result) => JSON.stringify(result));
      return ours === theirs ? counters : [...counters, `results: ${ours} | ${theirs}`];
    });
    if (found.length === 0) break;
  }
  return found;
}

function conversations(family: Family): (side: Side) => unknown {
  const device = (port: number, uid = 0, gid = 0, mark?: number): Talk['to'] => {
    return { place: 'device', port, uid, gid, ...(mark === undefined ? {} : { mark }) };
  };
  const peer = (place: 0 | 1, port: number): Talk['to'] => ({ place, port });
  const talks: readonly Talk[] = [
    { family, from: device(30001), to: peer(0, 53) },
    { family, from: device(30002, 1000, 1000), to: peer(0, 53) },
    { family, from: device(30003, 1001, 100), to: peer(0, 80) },
    { family, from: device(30004, 1000, 1000, 0x42), to: peer(0, 80) },
    { family, from: peer(0, 30005), to: device(8080, 1000, 1000) },
    { family, from: peer(1, 30006), to: device(8081), link: 1 },
    { family, from: peer(0, 30007), to: peer(1, 8080) },
    { family, from: device(30008, 1000, 1000), to: device(8082), loopback: true },
  ];
  return ({ topology }) => talks.map((talk) => [askByUdp(topology, talk), askByTcp(topology, talk)]);
}

const HEAD = '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n';

suite('real sockets', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: owners are counted as the kernel counts them', (family) => {
    const owners = [
      '--uid-owner 0',
      '! --uid-owner 0',
      '--uid-owner 1000',
      '--uid-owner 1000-1001',
      '! --uid-owner 1000-1001',
      '--gid-owner 100',
      '! --gid-owner 100',
      '--uid-owner 1000 --gid-owner 1000',
      '--uid-owner 1000 ! --gid-owner 1000',
      '--socket-exists',
      '! --socket-exists',
    ];
    const rules = [
      ...owners.map((owner) => `-A OUTPUT -m owner ${owner}`),
      ...owners.slice(0, 4).map((owner) => `-A OUTPUT -p tcp -m owner ${owner}`),
      '-A OUTPUT -m mark --mark 0x42',
    ];
    expect(compareTalks(`${HEAD}${rules.join('\n')}\nCOMMIT\n`, family, conversations(family))).toEqual([]);
  });

  it.each(FAMILIES)('%s: owners decide', (family) => {
    const rules = [
      '-A OUTPUT -o lo -j ACCEPT',
      '-A OUTPUT -m owner --uid-owner 1001 -j DROP',
      '-A OUTPUT -p udp -m owner --uid-owner 1000 -j REJECT',
      '-A INPUT -p tcp -m tcp --dport 8081 -j REJECT --reject-with tcp-reset',
      '-A FORWARD -p udp -j DROP',
    ];
    expect(compareTalks(`${HEAD}${rules.join('\n')}\nCOMMIT\n`, family, conversations(family))).toEqual([]);
  });

  it.each(FAMILIES)('%s: a stateful host firewall', (family) => {
    const rules = [
      '-A INPUT -i lo -j ACCEPT',
      '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      '-A INPUT -p tcp -m tcp --dport 8080 --syn -j ACCEPT',
      '-A INPUT -j DROP',
      '-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      '-A FORWARD -i eth0 -j ACCEPT',
      '-A FORWARD -j DROP',
      '-A OUTPUT -m conntrack --ctstate NEW',
      '-A OUTPUT -m conntrack --ctstate ESTABLISHED',
    ];
    expect(compareTalks(`${HEAD}${rules.join('\n')}\nCOMMIT\n`, family, conversations(family))).toEqual([]);
  });
});
