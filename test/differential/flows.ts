/** Conversations through a router: packets of both directions in order, so that connection tracking has something to track. */
import { ipv4, ipv6 } from '../../src/packet/craft.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { icmp, type Payload, TCP_FLAGS, tcp, udp } from '../../src/packet/transport.ts';
import { macOf } from '../support/topology.ts';
import { frameAround, type Stimulus } from './stimulus.ts';

/** The two ends of a conversation: the client is beyond the first link, the server beyond the second. */
export interface Ends {
  readonly family: Family;
  readonly client: string;
  readonly server: string;
  /** Where the client sends to, if that is not the server's own address (destination NAT). */
  readonly serverAlias?: string;
  /** Whom the server answers, if that is not the client (source NAT). */
  readonly clientAlias?: string;
}

export const ENDS = {
  ipv4: { family: 'ipv4', client: '10.200.0.50', server: '10.200.1.50' },
  ipv6: { family: 'ipv6', client: 'fdbf:0::50', server: 'fdbf:1::50' },
} as const satisfies Record<Family, Ends>;

const { FIN, SYN, RST, PSH, ACK } = TCP_FLAGS;
/** Frames that carry a mark have a source address of their own. */
const MARKED = Uint8Array.of(0x02, 0xbf, 0x6d, 0, 0, 1);
const DATA = new TextEncoder().encode('some data to carry');

function packet(family: Family, source: string, destination: string, payload: Payload): Uint8Array {
  return family === 'ipv4' ? ipv4({ source, destination, id: 1 }, payload) : ipv6({ source, destination }, payload);
}

/** A packet from the client, in on the first link. */
export function fromClient(ends: Ends, payload: Payload, mark?: number): Stimulus {
  const bytes = packet(ends.family, ends.client, ends.serverAlias ?? ends.server, payload);
  const frame = frameAround(bytes, macOf(0), mark === undefined ? {} : { source: MARKED });
  return { kind: 'frame', device: 0, frame, ...(mark === undefined ? {} : { mark }) };
}

/** A packet from the server, in on the second link. */
export function fromServer(ends: Ends, payload: Payload): Stimulus {
  const bytes = packet(ends.family, ends.server, ends.clientAlias ?? ends.client, payload);
  return { kind: 'frame', device: 1, frame: frameAround(bytes, macOf(1)) };
}

/** Ports as the client chose them and as the server sees them. */
interface Ports {
  readonly client: number;
  readonly server: number;
  /** Destination port that the client uses, if NAT changes it. */
  readonly alias?: number;
}

/** A TCP connection from handshake to end, with data both ways, a retransmission and segments that fit nowhere. */
export function tcpFlow(ends: Ends, ports: Ports): readonly Stimulus[] {
  let [there, back] = [1000, 5000];
  const up = (flags: number, data = new Uint8Array(0), acknowledgment = back): Stimulus =>
    fromClient(
      ends,
      tcp({
        source: ports.client,
        destination: ports.alias ?? ports.server,
        sequence: there,
        acknowledgment,
        flags,
        data,
      }),
    );
  const down = (flags: number, data = new Uint8Array(0)): Stimulus =>
    fromServer(
      ends,
      tcp({ source: ports.server, destination: ports.client, sequence: back, acknowledgment: there, flags, data }),
    );
  const steps: Stimulus[] = [up(SYN, undefined, 0)];
  there++;
  steps.push(down(SYN | ACK));
  back++;
  steps.push(up(ACK), up(PSH | ACK, DATA), up(PSH | ACK, DATA));
  there += DATA.length;
  steps.push(down(ACK), down(PSH | ACK, DATA));
  back += DATA.length;
  steps.push(up(ACK));
  there += 1_000_000_000;
  steps.push(up(ACK, DATA), up(RST | ACK));
  there -= 1_000_000_000;
  steps.push(up(FIN | ACK));
  there++;
  steps.push(down(FIN | ACK));
  back++;
  steps.push(up(ACK), up(ACK, DATA), down(RST));
  return steps;
}

/** A question and answers by UDP, then an ICMP error about the question (RELATED), then one about nothing known. */
export function udpFlow(ends: Ends, ports: Ports): readonly Stimulus[] {
  const question = udp({ source: ports.client, destination: ports.alias ?? ports.server, data: DATA });
  const answer = udp({ source: ports.server, destination: ports.client, data: DATA });
  const quoted = (client: number): Uint8Array => {
    const inner = udp({ source: client, destination: ports.server, data: DATA });
    return packet(ends.family, ends.clientAlias ?? ends.client, ends.server, inner);
  };
  const unreachable = ends.family === 'ipv4' ? { type: 3, code: 3 } : { type: 1, code: 4 };
  return [
    fromServer(ends, answer),
    fromClient(ends, question),
    fromServer(ends, answer),
    fromClient(ends, question),
    fromServer(ends, answer),
    fromServer(ends, icmp({ ...unreachable, data: quoted(ports.client) })),
    fromServer(ends, icmp({ ...unreachable, data: quoted(ports.client + 7) })),
  ];
}

/** Echo requests with replies, a reply that nobody asked for, and an error about the echo. */
export function pingFlow(ends: Ends, id: number): readonly Stimulus[] {
  const [request, reply] = ends.family === 'ipv4' ? [8, 0] : [128, 129];
  const echo = (type: number, which: number): Payload => icmp({ type, rest: which * 0x10000 + 1, data: DATA });
  const quoted = packet(ends.family, ends.clientAlias ?? ends.client, ends.server, echo(request, id));
  const timeExceeded = ends.family === 'ipv4' ? 11 : 3;
  return [
    fromClient(ends, echo(request, id)),
    fromServer(ends, echo(reply, id)),
    fromClient(ends, echo(request, id)),
    fromServer(ends, echo(reply, id + 1)),
    fromServer(ends, icmp({ type: timeExceeded, data: quoted })),
    fromClient(ends, icmp({ type: 5, code: 1, data: quoted })),
  ];
}

/** TCP segments that no state fits: nonsense flags, acknowledgments from nowhere, a bad checksum. */
export function invalidSegments(ends: Ends): readonly Stimulus[] {
  const segment = (flags: number, checksum?: 'bad'): Stimulus =>
    fromClient(
      ends,
      tcp({
        source: 33000 + flags,
        destination: 80,
        sequence: 7,
        flags,
        ...(checksum === undefined ? {} : { checksum }),
      }),
    );
  return [
    ...[0, FIN, SYN | FIN, SYN | RST, RST, ACK, FIN | PSH | 32, SYN | ACK, FIN | ACK, 0xff].map((flags) =>
      segment(flags),
    ),
    segment(SYN, 'bad'),
  ];
}

/** A SYN, marked: the namespace's watcher takes marked packets out of tracking. */
export function markedSyn(ends: Ends, port: number, mark: number): Stimulus {
  return fromClient(ends, tcp({ source: port, destination: 443, flags: SYN }), mark);
}

/** Everything above for one family. */
export function allFlows(ends: Ends): readonly Stimulus[] {
  return [
    ...tcpFlow(ends, { client: 40001, server: 80 }),
    ...tcpFlow(ends, { client: 40002, server: 22 }),
    ...udpFlow(ends, { client: 40003, server: 53 }),
    ...udpFlow(ends, { client: 40004, server: 9999 }),
    ...pingFlow(ends, 77),
    ...invalidSegments(ends),
  ];
}
