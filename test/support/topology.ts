/**
 * One device under test and its peers, in network namespaces of their own:
 *
 *     NAME-p0 [p0]====[first device]  NAME  [second device]====[p1]  NAME-p1
 *                                           [third device ]====[p2]  NAME-p1 ...
 *
 * Everything that would talk by itself is off: no ARP or neighbour discovery (both ends of a link share one MAC
 * address, so frames arrive without it), no router discovery, no multicast reports, no rate limits on ICMP. Two
 * topologies with the same devices therefore answer the same packets with the same packets.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { withNamespace } from '../../src/kernel/namespace.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { ipBatch, run } from './command.ts';

const FAMILY_OPTIONS = [
  ['-4', 'ipv4'],
  ['-6', 'ipv6'],
] as const;

export interface TopologyOptions {
  /** Prefix of the namespaces' names. */
  readonly name: string;
  /** Names of the devices under test, at least two. */
  readonly devices: readonly string[];
  /** Peers have addresses and answer; otherwise they only send and receive frames. */
  readonly hosts?: boolean;
  /** MTU of every device; without it frames of any size pass. */
  readonly mtu?: number;
}

export interface Device {
  readonly name: string;
  readonly index: number;
  /** The link's other end. */
  readonly peer: { readonly name: string; readonly index: number; readonly namespace: string };
  /** Of both ends. */
  readonly mac: Uint8Array;
}

export interface Topology {
  readonly namespace: string;
  readonly peers: readonly string[];
  readonly devices: readonly Device[];
  /** Says what happens to packets that arrive; at first they are forwarded with a shift of 1. */
  deliver(route: Route): void;
  close(): void;
}

/**
 * Where packets go that arrive on a link: to this machine (those for its own and the given addresses), or out again on the link that lies
 * `shift` places behind the one they came from (0: the same one).
 */
export type Route =
  | { readonly kind: 'input'; readonly addresses?: Readonly<Record<Family, readonly string[]>> }
  | { readonly kind: 'forward'; readonly shift: number };

const LARGEST_MTU = 65_535;
/** Marks the routes that make foreign addresses ours, to find them again. */
const BORROWED = 'proto 99';

/** Below /proc/sys/net. Written before any device but lo exists, so that `default` reaches all of them. */
const SYSCTLS: Readonly<Record<string, string | number>> = {
  'ipv4/ip_forward': 1,
  'ipv4/conf/all/rp_filter': 0,
  'ipv4/conf/default/rp_filter': 0,
  'ipv4/conf/all/accept_local': 1,
  'ipv4/conf/all/route_localnet': 1,
  'ipv4/conf/all/accept_redirects': 0,
  'ipv4/conf/default/accept_redirects': 0,
  'ipv4/conf/all/send_redirects': 0,
  'ipv4/conf/default/send_redirects': 0,
  'ipv4/conf/all/accept_source_route': 1,
  'ipv4/conf/default/accept_source_route': 1,
  'ipv4/icmp_ratelimit': 0,
  'ipv4/icmp_ratemask': 0,
  'ipv4/icmp_echo_ignore_broadcasts': 0,
  'ipv4/ipfrag_time': 3600,
  'ipv4/tcp_timestamps': 0,
  'ipv4/ping_group_range': '1 0',
  'ipv6/conf/all/accept_ra': 0,
  'ipv6/conf/default/accept_ra': 0,
  'ipv6/conf/all/accept_dad': 0,
  'ipv6/conf/default/accept_dad': 0,
  'ipv6/conf/all/accept_redirects': 0,
  'ipv6/conf/default/accept_redirects': 0,
  'ipv6/conf/default/autoconf': 0,
  'ipv6/conf/default/addr_gen_mode': 1,
  'ipv6/icmp/ratelimit': 0,
  'ipv6/icmp/ratemask': '',
  'ipv6/auto_flowlabels': 0,
  'ipv6/ip6frag_time': 3600,
};

/** MAC address of both ends of link `index`. */
export function macOf(index: number): Uint8Array {
  return Uint8Array.of(0x02, 0xbf, 0, 0, 0, index);
}

function formatMac(mac: Uint8Array): string {
  return [...mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** IPv4 and IPv6 addresses on link `link`; host 1 is the device under test, host 2 its peer. */
export function addressesOn(link: number, host: number): { ipv4: string; ipv6: string; linkLocal: string } {
  return { ipv4: `10.200.${link}.${host}`, ipv6: `fdbf:${link}::${host}`, linkLocal: `fe80::${link}:${host}` };
}

function setSysctls(namespace: string, values: Readonly<Record<string, string | number>>): void {
  withNamespace(namespace, () => {
    for (const [path, value] of Object.entries(values)) writeFileSync(`/proc/sys/net/${path}`, `${value}\n`);
  });
}

/** Builds a topology; the caller must close it. Whatever a failed attempt has made is removed. */
export function buildTopology(options: TopologyOptions): Topology {
  const { name, devices: names, hosts = false, mtu = LARGEST_MTU } = options;
  const peers = [`${name}-p0`, `${name}-p1`];
  const namespaces = [name, ...peers];
  const peerNamespace = (link: number): string => (link === 0 ? peers[0]! : peers[1]!);
  const close = (): void => {
    const lines = namespaces.map((namespace) => `netns del ${namespace}\n`).join('');
    // A failed attempt may not have made them all, and a second close finds none.
    spawnSync('ip', ['-force', '-batch', '-'], { input: lines });
  };
  try {
    ipBatch(namespaces.map((namespace) => `netns add ${namespace}`));
    setSysctls(name, SYSCTLS);
    for (const peer of peers) setSysctls(peer, { ...SYSCTLS, 'ipv4/ip_forward': 0 });
    ipBatch(
      names.map((device, link) => {
        const mac = formatMac(macOf(link));
        const common = `address ${mac} mtu ${mtu}`;
        return `link add name ${device} netns ${name} ${common} type veth peer name p${link} netns ${peerNamespace(link)} ${common}`;
      }),
    );
    ipBatch(deviceCommands(names), { namespace: name });
    // Only now: a device that can do multicast while forwarding is on joins the routers' group, and reports that.
    setSysctls(name, { 'ipv6/conf/all/forwarding': 1 });
    for (const family of ['-4', '-6'] as const) ipBatch(routingCommands(names, family), { namespace: name, family });
    for (const peer of peers) {
      const links = names.map((_, link) => link).filter((link) => peerNamespace(link) === peer);
      ipBatch(peerCommands(links, hosts), { namespace: peer });
      const first = links[0];
      if (!hosts || first === undefined) continue;
      const { ipv4, ipv6 } = addressesOn(first, 1);
      ipBatch([`route add default via ${ipv4}`], { namespace: peer, family: '-4' });
      ipBatch([`route add default via ${ipv6}`], { namespace: peer, family: '-6' });
    }
    const own = interfaceIndexes(name);
    const theirs = new Map(peers.map((peer) => [peer, interfaceIndexes(peer)] as const));
    const devices = names.map((device, link): Device => {
      const namespace = peerNamespace(link);
      const peer = { name: `p${link}`, index: theirs.get(namespace)?.get(`p${link}`) ?? 0, namespace };
      return { name: device, index: own.get(device) ?? 0, peer, mac: macOf(link) };
    });
    let shift = 1;
    const deliver = (route: Route): void => {
      for (const [option, family] of FAMILY_OPTIONS) {
        const commands = [`route flush table local ${BORROWED}`];
        if (route.kind === 'input') {
          const addresses = route.addresses?.[family] ?? [];
          commands.push(...addresses.map((address) => `route replace local ${address} dev lo table local ${BORROWED}`));
        } else if (route.shift !== shift) commands.push(...forwardingCommands(names, 'replace', route.shift));
        ipBatch(commands, { namespace: name, family: option });
      }
      if (route.kind === 'forward') shift = route.shift;
    };
    return { namespace: name, peers, devices, deliver, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Quiet devices and their addresses. */
function deviceCommands(names: readonly string[]): readonly string[] {
  const lines = ['link set lo up'];
  names.forEach((device, link) => {
    const { ipv4, ipv6, linkLocal } = addressesOn(link, 1);
    lines.push(
      `link set ${device} arp off multicast off addrgenmode none`,
      `link set ${device} up`,
      `addr add ${ipv4}/24 broadcast + dev ${device}`,
      `addr add ${ipv6}/64 dev ${device} nodad`,
      `addr add ${linkLocal}/64 dev ${device} nodad`,
    );
  });
  return lines;
}

/**
 * Our own packets use the first two links, by the top bit of their destination, unless their socket is bound to a device.
 * What comes in has a table for each device it can come from.
 */
function routingCommands(names: readonly string[], family: '-4' | '-6'): readonly string[] {
  const halves = family === '-4' ? ['0.0.0.0/1', '128.0.0.0/1'] : ['::/1', '8000::/1'];
  return [
    ...halves.map((half, index) => `route add ${half} dev ${names[index]}`),
    ...names.map((device, link) => `route add default dev ${device} metric ${2000 + link}`),
    ...names.map((device, link) => `rule add pref ${100 + link} iif ${device} lookup ${1000 + link}`),
    ...forwardingCommands(names, 'add', 1),
  ];
}

function forwardingCommands(names: readonly string[], verb: 'add' | 'replace', shift: number): readonly string[] {
  return names.map(
    (_, link) => `route ${verb} default dev ${names[(link + shift) % names.length]} table ${1000 + link}`,
  );
}

function peerCommands(links: readonly number[], hosts: boolean): readonly string[] {
  const lines = ['link set lo up'];
  for (const link of links) {
    lines.push(`link set p${link} arp off multicast off addrgenmode none`, `link set p${link} up`);
    if (!hosts) continue;
    const { ipv4, ipv6, linkLocal } = addressesOn(link, 2);
    lines.push(
      `addr add ${ipv4}/24 dev p${link}`,
      `addr add ${ipv6}/64 dev p${link} nodad`,
      `addr add ${linkLocal}/64 dev p${link} nodad`,
    );
  }
  return lines;
}

function interfaceIndexes(namespace: string): ReadonlyMap<string, number> {
  const links = JSON.parse(run('ip', ['-n', namespace, '-j', 'link', 'show'])) as { ifname: string; ifindex: number }[];
  return new Map(links.map((link) => [link.ifname, link.ifindex]));
}
