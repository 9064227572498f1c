/**
 * A throwaway server and its client, each in a network namespace of its own, joined by a veth pair. Both ends of the pair
 * share one MAC address and do without ARP, so that frames can be put on the link without anything else happening on it.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { withNamespace } from '../../kernel/namespace.ts';
import { openPacketSocket, openStackSocket, type StackSocket } from '../../kernel/packet-socket.ts';
import { addressToBytes, parseAddress } from '../../packet/address.ts';
import { ethernet } from '../../packet/craft.ts';
import type { Family } from '../../packet/netfilter.ts';
import { ADDRESSES, type Scene } from './scenes.ts';

/** Owns two namespaces and a socket. */
export interface Lab {
  /** Where the firewall goes. */
  readonly namespace: string;
  /** Puts a packet on the link to the server. */
  send(scene: Scene): void;
  /** The server asks the client's DNS port something by UDP and gets an answer. */
  exchange(family: Family): void;
  /** A whole TCP connection from the client to a port of the server: handshake, a request, an answer, the end. */
  connect(family: Family, port: number): void;
  /** Number of packets that reached the client since the last call. */
  answers(): number;
  close(): void;
}

const MAC = 0x02bf_0000_0001;
const MAC_TEXT = '02:bf:00:00:00:01';
const SERVER_DEVICE = 'eth0';
const CLIENT_DEVICE = 'eth0';

/** Below /proc/sys/net: nothing speaks unless spoken to. */
const QUIET: Readonly<Record<string, string>> = {
  'ipv4/conf/all/rp_filter': '0',
  'ipv4/conf/default/rp_filter': '0',
  'ipv4/icmp_ratemask': '0',
  'ipv6/icmp/ratelimit': '0',
  'ipv6/conf/default/accept_ra': '0',
  'ipv6/conf/default/accept_dad': '0',
  'ipv6/conf/default/router_solicitations': '0',
};

function ip(args: readonly string[], input = ''): void {
  const result = spawnSync('ip', args, { input, encoding: 'utf8' });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) throw new Error(`ip ${args.join(' ')}: ${result.stderr.trim()}`);
}

/** Whether iproute2 is here to build a lab with. */
export function canBuildLab(): boolean {
  return spawnSync('ip', ['-V']).error === undefined;
}

function numeric(text: string, family: Family): Uint8Array {
  const value = parseAddress(text, family);
  if (value === undefined) throw new Error(`not an address: ${text}`);
  return addressToBytes(value, family);
}

/** Builds a lab; whatever a failed attempt made is removed. */
export function buildLab(name: string): Lab {
  const server = `${name}-server`;
  const client = `${name}-client`;
  const removeNamespaces = (): void => {
    for (const namespace of [server, client]) spawnSync('ip', ['netns', 'del', namespace]);
  };
  try {
    ip(['-batch', '-'], `netns add ${server}\nnetns add ${client}\n`);
    for (const namespace of [server, client]) {
      withNamespace(namespace, () => {
        for (const [path, value] of Object.entries(QUIET)) writeFileSync(`/proc/sys/net/${path}`, `${value}\n`);
      });
    }
    const end = (namespace: string, device: string): string => `name ${device} netns ${namespace} address ${MAC_TEXT}`;
    const peer = `${end(client, CLIENT_DEVICE)}`;
    ip(['-batch', '-'], `link add ${end(server, SERVER_DEVICE)} type veth peer ${peer}\n`);
    for (const [namespace, who] of [
      [server, 'server'],
      [client, 'client'],
    ] as const) {
      ip(['-n', namespace, '-batch', '-'], setUp(who).join('\n'));
      ip(['-n', namespace, 'route', 'add', 'default', 'dev', SERVER_DEVICE]);
      ip(['-n', namespace, '-6', 'route', 'add', 'default', 'dev', SERVER_DEVICE]);
    }
    const socket = withNamespace(client, () => openPacketSocket({ ifindex: indexOf(client) }));
    return {
      namespace: server,
      send: ({ packet }) => void socket.send(ethernet({ source: 0x02bf_0000_0002, destination: MAC }, packet)),
      exchange: (family) => exchange(server, client, family),
      connect: (family, port) => connect(server, client, family, port),
      answers() {
        let count = 0;
        while (socket.receive() !== undefined) count++;
        return count;
      },
      close() {
        socket.close();
        removeNamespaces();
      },
    };
  } catch (error) {
    removeNamespaces();
    throw error;
  }
}

function setUp(who: 'server' | 'client'): readonly string[] {
  return [
    'link set lo up',
    `link set ${SERVER_DEVICE} arp off multicast off addrgenmode none`,
    `link set ${SERVER_DEVICE} up`,
    `addr add ${ADDRESSES.ipv4[who]}/24 dev ${SERVER_DEVICE}`,
    `addr add ${ADDRESSES.ipv6[who]}/64 dev ${SERVER_DEVICE} nodad`,
    '',
  ];
}

function indexOf(namespace: string): number {
  const result = spawnSync('ip', ['-n', namespace, '-j', 'link', 'show', CLIENT_DEVICE], { encoding: 'utf8' });
  const [link] = JSON.parse(result.stdout) as { ifindex: number }[];
  if (link === undefined) throw new Error(`${namespace} has no ${CLIENT_DEVICE}`);
  return link.ifindex;
}

function exchange(server: string, client: string, family: Family): void {
  const [at, to] = [numeric(ADDRESSES[family].server, family), numeric(ADDRESSES[family].client, family)];
  const open = (namespace: string, address: Uint8Array, port: number): StackSocket => {
    const socket = withNamespace(namespace, () => openStackSocket(family, 'udp'));
    socket.bind(address, port);
    return socket;
  };
  const asker = open(server, at, 40053);
  const answerer = open(client, to, 53);
  asker.sendTo(new TextEncoder().encode('question'), to, 53);
  answerer.sendTo(new TextEncoder().encode('answer'), at, 40053);
  asker.close();
  answerer.close();
}

const PATIENCE_MS = 1000;

/** Repeats `attempt` until it gives something; the link is local, so this is a matter of microseconds. */
function soon<T>(attempt: () => T | undefined): T | undefined {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const result = attempt();
    if (result !== undefined || performance.now() > deadline) return result;
  }
}

function connect(server: string, client: string, family: Family, port: number): void {
  const address = numeric(ADDRESSES[family].server, family);
  const listener = withNamespace(server, () => openStackSocket(family, 'tcp'));
  const caller = withNamespace(client, () => openStackSocket(family, 'tcp'));
  try {
    listener.bind(address, port);
    listener.listen();
    caller.bind(numeric(ADDRESSES[family].client, family), 50000 + (port % 1000));
    caller.connect(address, port);
    const called = soon(() => listener.accept());
    if (called === undefined) return;
    caller.send(new TextEncoder().encode('request'));
    soon(() => called.receive());
    called.send(new TextEncoder().encode('answer'));
    soon(() => caller.receive());
    caller.close();
    soon(() => called.receive());
    called.close();
  } finally {
    listener.close();
    caller.close();
  }
}
