/** The demonstration's traffic: what reaches the example server from outside, packet by packet. */
import { ipv4, ipv6 } from '../../packet/craft.ts';
import type { Family } from '../../packet/netfilter.ts';
import { icmp, type Payload, TCP_FLAGS, tcp, truncated, udp } from '../../packet/transport.ts';

/** Addresses of the example server and of the host that talks to it. */
export const ADDRESSES = {
  ipv4: { server: '10.99.0.1', client: '10.99.0.2' },
  ipv6: { server: 'fd99::1', client: 'fd99::2' },
} as const satisfies Record<Family, { server: string; client: string }>;

export interface Scene {
  readonly about: string;
  readonly family: Family;
  readonly packet: Uint8Array;
}

const syn =
  (source: number, destination: number) =>
  (repetition: number): Payload =>
    tcp({ source: source + 100 * repetition, destination, flags: TCP_FLAGS.SYN });
const DATA = new TextEncoder().encode('bpfilter demo');

/** What is sent: about, source address, payload (of each repetition), how often, and hop limit if it matters. */
type Row = readonly [
  about: string,
  source: string,
  payload: (repetition: number) => Payload,
  times?: number,
  hopLimit?: number,
];

const IPV4: readonly Row[] = [
  ['ping', '203.0.113.1', (n) => icmp({ type: 8, rest: n << 16, data: DATA }), 5],
  ['ssh from the allowed network', '198.51.100.7', syn(40001, 22)],
  ['ssh from the allowed range', '203.0.113.15', syn(40002, 22)],
  ['ssh from elsewhere', '203.0.113.99', syn(40003, 22), 3],
  ['https', '203.0.113.20', syn(40004, 443), 4],
  ['an application port', '203.0.113.21', syn(40005, 8042)],
  ['http from a blocked network', '192.0.2.80', syn(40006, 80), 2],
  [
    'an acknowledgment out of the blue',
    '203.0.113.22',
    () => tcp({ source: 1, destination: 80, flags: TCP_FLAGS.ACK }),
  ],
  ['a traceroute probe', '203.0.113.23', (n) => udp({ source: 40007, destination: 33440 + n, data: DATA }), 3],
  ['telnet', '203.0.113.24', syn(40008, 23), 2],
  ['an unasked DNS answer', '203.0.113.53', () => udp({ source: 53, destination: 40009, data: DATA })],
  ['a cut TCP header', '203.0.113.25', () => truncated(syn(40010, 80)(0), 8)],
];

const IPV6: readonly Row[] = [
  ['ping', '2001:db8:1::1', (n) => icmp({ type: 128, rest: n << 16, data: DATA }), 2],
  ['a neighbour solicitation from afar', '2001:db8:1::2', () => icmp({ type: 135, data: new Uint8Array(16) }), 1, 64],
  ['https', '2001:db8:1::3', syn(40001, 443), 3],
  ['http from a blocked network', '2001:db8:bad::1', syn(40002, 80), 2],
  ['ssh from the allowed network', '2001:db8:5::22', syn(40003, 22)],
  ['ssh from elsewhere', '2001:db8:6::22', syn(40004, 22)],
  ['UDP to a closed port', '2001:db8:1::4', (n) => udp({ source: 40005, destination: 9999 + n, data: DATA }), 2],
];

function scenesOf(family: Family, rows: readonly Row[]): readonly Scene[] {
  return rows.flatMap(([about, source, payload, times = 1, hopLimit = 64]) => {
    const destination = ADDRESSES[family].server;
    return Array.from({ length: times }, (_, repetition): Scene => {
      const inner = payload(repetition);
      const packet =
        family === 'ipv4'
          ? ipv4({ source, destination, ttl: hopLimit }, inner)
          : ipv6({ source, destination, hopLimit }, inner);
      return { about, family, packet };
    });
  });
}

/** All packets, in the order in which they are sent. */
export function scenes(): readonly Scene[] {
  return [...scenesOf('ipv4', IPV4), ...scenesOf('ipv6', IPV6)];
}
