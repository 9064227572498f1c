/**
 * A throwaway server and its client, each in a network namespace of its own, joined by a veth pair. Both ends of the pair
 * share one MAC address and do without ARP, so that frames can be put on the link without anything else happening on it.
 */
import { writeFileSync } from 'node:fs';
import { withNamespace } from '../../kernel/namespace.ts';
import { openPacketSocket, openStackSocket, type StackSocket } from '../../kernel/packet-socket.ts';
import {
  addAddress,
  addDefaultRoute,
  createNamespace,
  createVethPair,
  indexOfDevice,
  linkUp,
} from '../../kernel/rtnetlink.ts';
import { addressToBytes, parseAddress } from '../../packet/address.ts';
import { ethernet } from '../../packet/craft.ts';
import { FAMILIES, type Family } from '../../packet/netfilter.ts';
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

const MAC = Uint8Array.of(0x02, 0xbf, 0, 0, 0, 1);
const SENDER = 0x02bf_0000_0002;
const DEVICE = 'eth0';
const PREFIX = { ipv4: 24, ipv6: 64 } as const satisfies Record<Family, number>;

/** Below /proc/sys/net: nothing speaks unless spoken to. */
const QUIET: Readonly<Record<string, string>> = {
  'ipv4/conf/all/rp_filter': '0',
  'ipv4/conf/default/rp_filter': '0',
  'ipv4/icmp_ratemask': '0',
  'ipv6/icmp/ratelimit': '0',
  'ipv6/conf/default/accept_ra': '0',
  'ipv6/conf/default/addr_gen_mode': '1',
};

function numeric(text: string, family: Family): Uint8Array {
  const value = parseAddress(text, family);
  if (value === undefined) throw new Error(`not an address: ${text}`);
  return addressToBytes(value, family);
}

/** Builds a lab; whatever a failed attempt made is removed. */
export function buildLab(): Lab {
  const server = createNamespace();
  const client = createNamespace();
  const closers: { close(): void }[] = [server, client];
  const close = (): void => {
    for (const closer of closers.splice(0).reverse()) closer.close();
  };
  try {
    for (const { path } of [server, client]) {
      withNamespace(path, () => {
        for (const [name, value] of Object.entries(QUIET)) writeFileSync(`/proc/sys/net/${name}`, `${value}\n`);
      });
    }
    const end = { name: DEVICE, mac: MAC };
    withNamespace(server.path, () => createVethPair(end, end, client));
    configure(server.path, 'server');
    configure(client.path, 'client');
    const socket = withNamespace(client.path, () => openPacketSocket({ ifindex: indexOfDevice(DEVICE) }));
    closers.push(socket);
    const destination = BigInt(`0x${Buffer.from(MAC).toString('hex')}`);
    return {
      namespace: server.path,
      send: ({ packet }) => void socket.send(ethernet({ source: SENDER, destination }, packet)),
      exchange: (family) => exchange(server.path, client.path, family),
      connect: (family, port) => connect(server.path, client.path, family, port),
      answers() {
        let count = 0;
        while (socket.receive() !== undefined) count++;
        return count;
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function configure(namespace: string, who: 'server' | 'client'): void {
  withNamespace(namespace, () => {
    const index = indexOfDevice(DEVICE);
    linkUp(indexOfDevice('lo'));
    linkUp(index, true);
    for (const family of FAMILIES) {
      addAddress(index, family, numeric(ADDRESSES[family][who], family), PREFIX[family]);
      addDefaultRoute(index, family);
    }
  });
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
