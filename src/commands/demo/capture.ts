/** The demonstration's traffic as a capture file: `examples/server.pcap` is what this makes. */
import { ipv4, ipv6 } from '../../packet/craft.ts';
import { FAMILIES, type Family } from '../../packet/netfilter.ts';
import { writePcap } from '../../packet/pcap.ts';
import { type Payload, TCP_FLAGS, tcp, udp } from '../../packet/transport.ts';
import { ADDRESSES, scenes } from './scenes.ts';

const { SYN, ACK, PSH, FIN } = TCP_FLAGS;

/** 2026-01-01, and a millisecond between packets. */
const START = 1_767_225_600_000_000_000n;
const STEP = 1_000_000n;

/** A question from the server and its answer, then a TCP connection from the client. */
function conversation(family: Family): readonly Uint8Array[] {
  const { server, client } = ADDRESSES[family];
  const packet = (source: string, destination: string, payload: Payload): Uint8Array =>
    family === 'ipv4' ? ipv4({ source, destination, id: 1 }, payload) : ipv6({ source, destination }, payload);
  const data = new TextEncoder().encode('question');
  const up = (sequence: number, acknowledgment: number, flags: number, text = ''): Uint8Array =>
    packet(
      client,
      server,
      tcp({ source: 50443, destination: 443, sequence, acknowledgment, flags, data: new TextEncoder().encode(text) }),
    );
  const down = (sequence: number, acknowledgment: number, flags: number, text = ''): Uint8Array =>
    packet(
      server,
      client,
      tcp({ source: 443, destination: 50443, sequence, acknowledgment, flags, data: new TextEncoder().encode(text) }),
    );
  return [
    packet(server, client, udp({ source: 40053, destination: 53, data })),
    packet(client, server, udp({ source: 53, destination: 40053, data })),
    up(100, 0, SYN),
    down(900, 101, SYN | ACK),
    up(101, 901, ACK),
    up(101, 901, PSH | ACK, 'request'),
    down(901, 108, ACK),
    down(901, 108, PSH | ACK, 'answer'),
    up(108, 907, ACK),
    up(108, 907, FIN | ACK),
    down(907, 109, FIN | ACK),
    up(109, 908, ACK),
  ];
}

/** The whole file; packets begin with their IP header. */
export function makeCapture(): Uint8Array {
  const packets = [...scenes().map(({ packet }) => packet), ...FAMILIES.flatMap(conversation)];
  const timed = packets.map((frame, index) => ({ frame, time: START + STEP * BigInt(index) }));
  return writePcap(timed, { linkType: 'RAW' });
}
