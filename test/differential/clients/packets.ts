/** What is sent past a firewall that a program has just changed: enough that each rule of the programs here decides something. */
import type { Family } from '../../../src/packet/netfilter.ts';
import { icmp, type Payload, TCP_FLAGS, tcp, udp } from '../../../src/packet/transport.ts';
import { macOf } from '../../support/topology.ts';
import { packetOf } from '../asking.ts';
import { frameAround, type Stimulus } from '../stimulus.ts';

const OWN = { ipv4: '10.200.0.1', ipv6: 'fdbf:0::1' } as const satisfies Record<Family, string>;
const PEER = { ipv4: '10.200.0.2', ipv6: 'fdbf:0::2' } as const satisfies Record<Family, string>;
/** Nobody here: what is sent there is forwarded. */
const BEHIND = { ipv4: '10.77.0.1', ipv6: '2001:db8:77::1' } as const satisfies Record<Family, string>;
/** The programs here allow, deny and ban some of them. */
const HOSTS = {
  ipv4: ['10.0.0.1', '10.0.0.2', '10.0.0.5', '10.0.0.6', '10.0.0.9', '10.0.0.33', '10.1.0.7', '192.168.3.4'],
  ipv6: ['fd01::1', '2001:db8::5'],
} as const satisfies Record<Family, readonly string[]>;
const TCP_PORTS = [22, 25, 80, 443, 8080];
const UDP_PORTS = [53, 137, 5353];
/** `ufw limit` bites at the sixth. */
const PERSISTENT = 8;

/** Frames from everybody to this machine and through it, and packets of its own. `round` keeps the connections of each time apart. */
export function clientPackets(round: number): readonly Stimulus[] {
  const source = 20_000 + 100 * round;
  const stimuli: Stimulus[] = [];
  for (const family of ['ipv4', 'ipv6'] as const) {
    const frame = (from: string, to: string, payload: Payload): void => {
      const packet = packetOf(family, from, to, payload);
      stimuli.push({ kind: 'frame', device: 0, frame: frameAround(packet, macOf(0)) });
    };
    const local = (to: string, payload: Payload): void => {
      stimuli.push({ kind: 'local', family, packet: packetOf(family, OWN[family], to, payload) });
    };
    for (const host of HOSTS[family]) {
      for (const port of TCP_PORTS) frame(host, OWN[family], tcp({ source, destination: port, flags: TCP_FLAGS.SYN }));
      for (const port of UDP_PORTS) frame(host, OWN[family], udp({ source, destination: port }));
      frame(host, OWN[family], icmp({ type: family === 'ipv4' ? 8 : 128, data: new Uint8Array(8) }));
      frame(host, BEHIND[family], tcp({ source, destination: 80, flags: TCP_FLAGS.SYN }));
      // Of no connection.
      frame(host, OWN[family], tcp({ source: source + 1, destination: 22, flags: TCP_FLAGS.FIN }));
    }
    for (let at = 0; at < PERSISTENT; at++)
      frame(HOSTS[family][0], OWN[family], tcp({ source: source + 10 + at, destination: 22, flags: TCP_FLAGS.SYN }));
    // A question, its answer, and an answer to nothing.
    local(PEER[family], udp({ source, destination: 123 }));
    frame(PEER[family], OWN[family], udp({ source: 123, destination: source }));
    frame(PEER[family], OWN[family], udp({ source: 123, destination: source + 1 }));
    for (const port of [25, 443]) local(PEER[family], tcp({ source, destination: port, flags: TCP_FLAGS.SYN }));
  }
  return stimuli;
}
