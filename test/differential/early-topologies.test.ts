/**
 * Early drop where devices stand on devices, beside plain ones: frames with and without tags of VLANs, to every MAC address. The same for the
 * kernel's iptables; every counter compared.
 */
import { afterEach, expect, it } from 'vitest';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { openPacketSocket } from '../../src/kernel/packet-socket.ts';
import { indexOfDevice } from '../../src/kernel/rtnetlink.ts';
import { ETHERTYPE, ethernet, ipv4, ipv6 } from '../../src/packet/craft.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { tcp, udp } from '../../src/packet/transport.ts';
import { bpfilterEarly, earlyDropsSoFar } from '../support/bpfilter-firewall.ts';
import { type FirewallKind, kernelFirewall } from '../support/firewalls.ts';
import { savedDifferences } from '../support/saved.ts';
import { ADDRESS, buildSmallLab, type SmallLab } from '../support/small-lab.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';

const MAC = {
  f0: [0x02, 0x77, 0, 0, 0, 2],
  f1: [0x02, 0x77, 0, 0, 0, 4],
  upper: [0x02, 0x77, 0, 0, 0, 6],
  all: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
} as const;
const UPPER = { ipv4: '10.79.0.1', ipv6: 'fd79::1' } as const;
const macText = (bytes: readonly number[]): string => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
/** An address of its own, so that the device above is somebody. */
const above = (device: string): readonly string[] => [
  `link set ${device} up`,
  `addr add ${UPPER.ipv4}/24 dev ${device}`,
  `-6 addr add ${UPPER.ipv6}/64 dev ${device} nodad`,
];

const TOPOLOGIES: Readonly<Record<string, readonly string[]>> = {
  nothing: [],
  'a bridge of both devices': [
    `link add upper type bridge`,
    'link set f0 master upper',
    'link set f1 master upper',
    `link set upper address ${macText(MAC.upper)}`,
    ...above('upper'),
  ],
  'a bridge of one device': [
    'link add upper type bridge',
    `link set upper address ${macText(MAC.upper)}`,
    'link set f0 master upper',
    ...above('upper'),
  ],
  'a macvlan': [
    `link add link f0 name upper address ${macText(MAC.upper)} type macvlan mode bridge`,
    ...above('upper'),
  ],
};

function rules(family: Family): string {
  const [upper, icmp] = [UPPER[family], family === 'ipv4' ? 'icmp' : 'ipv6-icmp'];
  return [
    '*raw',
    '-A PREROUTING -i upper -p udp -m udp --dport 1 -j DROP',
    '-A PREROUTING -i f0 -p udp -m udp --dport 2 -j DROP',
    '-A PREROUTING -p udp -m udp --dport 3 -j DROP',
    `-A PREROUTING -d ${upper} -p ${icmp} -j DROP`,
    'COMMIT',
    '*mangle',
    '-A PREROUTING -i f1',
    '-A PREROUTING -i f0',
    '-A PREROUTING -i upper',
    '-A FORWARD -p udp -m udp --dport 4 -j DROP',
    'COMMIT',
    '*filter',
    ':INPUT DROP [0:0]',
    '-A INPUT -i upper -p tcp -j DROP',
    '-A INPUT -m conntrack --ctstate NEW -p udp -m udp --dport 5 -j DROP',
    '-A FORWARD -i upper -j DROP',
    '-A FORWARD -o upper -j DROP',
    '-A FORWARD -j DROP',
    'COMMIT',
    '',
  ].join('\n');
}

/** Without what this machine sends itself: answers, of which there are as many as a limit over time allows. */
const arrived = (saved: string): string => saved.replace(/^:(OUTPUT|POSTROUTING) .*\n/gm, '');

/** Frames of a family, to each address by each MAC address, with each way to be tagged. */
function framesOf(family: Family): readonly Uint8Array[] {
  const [source, own] = family === 'ipv4' ? [ADDRESS.peer, ADDRESS.filtered] : [ADDRESS.peer6, ADDRESS.filtered6];
  const beyond = family === 'ipv4' ? '10.78.0.9' : 'fd78::9';
  const payloads = [...[1, 2, 3, 4, 5].map((destination) => udp({ source: 1000, destination })), tcp({ flags: 2 })];
  const tags = [[], [0x81, 0, 0, 7], [0x81, 0, 0, 0], [0x81, 0, 0, 1], [0x88, 0xa8, 0, 7, 0x81, 0, 0, 9]];
  const packet = family === 'ipv4' ? ipv4 : ipv6;
  return [own, UPPER[family], beyond].flatMap((destination) =>
    payloads.flatMap((payload) =>
      [MAC.f0, MAC.f1, MAC.upper, MAC.all].flatMap((mac) =>
        tags.map((tag) => {
          const frame = ethernet({ type: ETHERTYPE[family] }, packet({ source, destination }, payload));
          frame.set(mac, 0);
          frame.set([0x02, 0x77, 0, 0, 0, 1], 6);
          return Uint8Array.of(...frame.subarray(0, 12), ...tag, ...frame.subarray(12));
        }),
      ),
    ),
  );
}

suite('early drop on devices below others, beside iptables', DIFFERENTIAL, () => {
  const labs: SmallLab[] = [];

  afterEach(async () => {
    for (const lab of labs.splice(0)) await lab.close();
  });

  /** What the rules have counted, of both families. */
  const run = (name: string, kind: FirewallKind, topology: readonly string[]): Readonly<Record<Family, string>> => {
    const lab = buildSmallLab(name);
    labs.push(lab);
    lab.outside(
      'ip',
      'link',
      'add',
      'g1',
      'type',
      'veth',
      'peer',
      'name',
      'f1',
      'address',
      macText(MAC.f1),
      'netns',
      name,
    );
    lab.outside('ip', 'link', 'set', 'g1', 'arp', 'off', 'multicast', 'off', 'up');
    for (const setting of ['ipv4.ip_forward', 'ipv6.conf.all.forwarding'])
      lab.inside('sysctl', '-qw', `net.${setting}=1`);
    for (const line of [
      'link set f1 arp off multicast off up',
      'addr add 10.78.0.1/24 dev f1',
      '-6 addr add fd78::1/64 dev f1 nodad',
      ...topology,
    ])
      lab.inside('ip', ...line.split(' '));
    const firewall = kind.open(name);
    try {
      firewall.apply({ ipv4: rules('ipv4'), ipv6: rules('ipv6') });
      for (const device of ['p0', 'g1']) {
        const socket = withNamespace(lab.peer, () => openPacketSocket({ ifindex: indexOfDevice(device) }));
        try {
          for (const family of FAMILIES) for (const frame of framesOf(family)) expect(socket.send(frame)).toBe(0);
        } finally {
          socket.close();
        }
      }
      return { ipv4: arrived(firewall.save('ipv4')), ipv6: arrived(firewall.save('ipv6')) };
    } finally {
      firewall.close();
    }
  };

  it.each(Object.entries(TOPOLOGIES))('%s', (_, topology) => {
    const iptables = run('bff-topo-k', kernelFirewall, topology);
    const before = earlyDropsSoFar();
    const ours = run('bff-topo-b', bpfilterEarly, topology);
    for (const family of FAMILIES) expect(savedDifferences(iptables[family], ours[family])).toEqual([]);
    // f1 is part of nothing, but of the bridge of both.
    if (!topology.includes('link set f1 master upper')) expect(earlyDropsSoFar()).toBeGreaterThan(before);
  });
});
