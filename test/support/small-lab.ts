/** Two namespaces and a link, for tests of the commands: one is filtered, the other sends. */

import { main } from '../../src/commands/main.ts';
import { collectedOutput } from '../../src/commands/output.ts';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { openStackSocket, type StackSocket } from '../../src/kernel/packet-socket.ts';
import { ipBatch, run } from './command.ts';

export const ADDRESS = { filtered: '10.77.0.2', peer: '10.77.0.1', filtered6: 'fd77::2', peer6: 'fd77::1' } as const;

const MAC = { filtered: '02:77:00:00:00:02', peer: '02:77:00:00:00:01' } as const;
const QUIET = ['accept_dad', 'accept_ra', 'router_solicitations'].map((name) => `net.ipv6.conf.default.${name}=0`);

function bringUp(device: string, address: string, address6: string, neighbour: string, mac: string): string[] {
  return [
    // Without ARP, IPv6 joins no groups and says nothing of it.
    `link set ${device} arp off multicast off`,
    `addr add ${address}/24 dev ${device}`,
    `addr add ${address6}/64 dev ${device} nodad`,
    'link set lo up',
    `link set ${device} up`,
    `neigh add ${neighbour} lladdr ${mac} dev ${device}`,
  ];
}

export interface SmallLab {
  /** The filtered namespace and its peer. */
  readonly namespace: string;
  readonly peer: string;
  /** Runs a command in this process, on the filtered namespace. */
  bpfilter(...argv: readonly string[]): Promise<Outcome>;
  /** Sends datagrams with `size` bytes of payload from the peer to a port of the filtered namespace. */
  send(port: number, count: number, size?: number): void;
  /** A socket in the filtered namespace that receives what comes to a port. */
  listen(port: number): StackSocket;
  /** Output of a command of the system in the filtered namespace. */
  inside(program: string, ...args: readonly string[]): string;
  /** The same in the peer's namespace. */
  outside(program: string, ...args: readonly string[]): string;
  close(): Promise<void>;
}

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Builds the namespaces `NAME` and `NAME-peer`. */
export function buildSmallLab(name: string): SmallLab {
  const peer = `${name}-peer`;
  ipBatch([`netns add ${name}`, `netns add ${peer}`]);
  for (const namespace of [name, peer]) {
    // No neighbour, router or duplicate address traffic of its own: counters of tests are exact.
    run('ip', ['netns', 'exec', namespace, 'sysctl', '-qw', ...QUIET]);
  }
  ipBatch([`link add p0 address ${MAC.peer} type veth peer name f0 address ${MAC.filtered} netns ${name}`], {
    namespace: peer,
  });
  ipBatch(bringUp('p0', ADDRESS.peer, ADDRESS.peer6, ADDRESS.filtered, MAC.filtered), { namespace: peer });
  ipBatch(bringUp('f0', ADDRESS.filtered, ADDRESS.filtered6, ADDRESS.peer, MAC.peer), { namespace: name });

  const bpfilter = async (...argv: readonly string[]): Promise<Outcome> => {
    const output = collectedOutput();
    const [command = '', ...rest] = argv;
    const status = await main([command, '--netns', name, ...rest], output);
    return { status, stdout: output.stdout(), stderr: output.stderr() };
  };
  return {
    namespace: name,
    peer,
    bpfilter,
    send(port, count, size = 32) {
      const socket = withNamespace(peer, () => openStackSocket('ipv4', 'udp'));
      try {
        for (let i = 0; i < count; i++) socket.sendTo(new Uint8Array(size), Uint8Array.of(10, 77, 0, 2), port);
      } finally {
        socket.close();
      }
    },
    listen(port) {
      const socket = withNamespace(name, () => openStackSocket('ipv4', 'udp'));
      socket.bind(Uint8Array.of(0, 0, 0, 0), port);
      return socket;
    },
    inside: (program, ...args) => run('ip', ['netns', 'exec', name, program, ...args]),
    outside: (program, ...args) => run('ip', ['netns', 'exec', peer, program, ...args]),
    async close() {
      await bpfilter('flush', '-w', '20');
      run('ip', ['netns', 'del', name]);
      run('ip', ['netns', 'del', peer]);
    },
  };
}
