/** Real sockets talking to each other across a topology: short exchanges, step by step, and bulk transfers. */
import { withNamespace } from '../../src/kernel/namespace.ts';
import { asUser, openStackSocket, type StackSocket } from '../../src/kernel/packet-socket.ts';
import { addressToBytes, parseAddress } from '../../src/packet/address.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { addressesOn, type Topology } from './topology.ts';

/** Where a socket is: on the device under test, or on the peer beyond one of the first two links. */
export type Place = 'device' | 0 | 1;

export interface Endpoint {
  readonly place: Place;
  readonly port: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mark?: number;
}

export interface Talk {
  readonly family: Family;
  readonly from: Endpoint;
  readonly to: Endpoint;
  /** Link by which the device under test is addressed; default 0. */
  readonly link?: number;
  /** Both ends on the device under test talk over lo. */
  readonly loopback?: boolean;
}

const PATIENCE_MS = 2000;
/** Something that is not coming: dropped packets are the rule here, not the exception. */
const SHORT_MS = 20;

/** Repeats `attempt` until it gives something or time is up. */
function soon<T>(attempt: () => T | undefined, patience = PATIENCE_MS): T | undefined {
  const deadline = performance.now() + patience;
  for (;;) {
    const result = attempt();
    if (result !== undefined || performance.now() > deadline) return result;
  }
}

/** Address bytes of an endpoint. */
export function addressOf(talk: Talk, endpoint: Endpoint): Uint8Array {
  const { family, loopback = false, link = 0 } = talk;
  const text = loopback
    ? { ipv4: '127.0.0.1', ipv6: '::1' }[family]
    : addressesOn(endpoint.place === 'device' ? link : endpoint.place, endpoint.place === 'device' ? 1 : 2)[family];
  return addressToBytes(parseAddress(text, family)!, family);
}

function openAt(topology: Topology, talk: Talk, endpoint: Endpoint, kind: 'tcp' | 'udp'): StackSocket {
  const namespace = endpoint.place === 'device' ? topology.namespace : topology.peers[endpoint.place]!;
  const socket = withNamespace(namespace, () =>
    asUser(endpoint.uid ?? 0, endpoint.gid ?? 0, () => openStackSocket(talk.family, kind)),
  );
  if (endpoint.mark !== undefined) socket.setMark(endpoint.mark);
  socket.bind(addressOf(talk, endpoint), endpoint.port);
  return socket;
}

const WORDS = new TextEncoder().encode('one datagram or segment');

/** A question and its answer by UDP. Returns how much of it arrived: '', 'question', 'answer'. */
export function askByUdp(topology: Topology, talk: Talk): string {
  const asker = openAt(topology, talk, talk.from, 'udp');
  const answerer = openAt(topology, talk, talk.to, 'udp');
  try {
    asker.sendTo(WORDS, addressOf(talk, talk.to), talk.to.port);
    if (soon(() => answerer.receive(), SHORT_MS) === undefined) return '';
    answerer.sendTo(WORDS, addressOf(talk, talk.from), talk.from.port);
    return soon(() => asker.receive(), SHORT_MS) === undefined ? 'question' : 'answer';
  } finally {
    asker.close();
    answerer.close();
  }
}

interface Connection {
  readonly caller: StackSocket;
  readonly called: StackSocket;
  close(): void;
}

function connect(topology: Topology, talk: Talk): Connection | undefined {
  const listener = openAt(topology, talk, talk.to, 'tcp');
  const caller = openAt(topology, talk, talk.from, 'tcp');
  listener.listen();
  caller.connect(addressOf(talk, talk.to), talk.to.port);
  const called = soon(() => listener.accept(), SHORT_MS);
  listener.close();
  if (called === undefined) {
    caller.close();
    return undefined;
  }
  return {
    caller,
    called,
    close() {
      caller.close();
      called.close();
    },
  };
}

/** A TCP connection with a request and an answer, closed by the caller first. Returns whether it came to be. */
export function askByTcp(topology: Topology, talk: Talk): boolean {
  const connection = connect(topology, talk);
  if (connection === undefined) return false;
  const { caller, called } = connection;
  caller.send(WORDS);
  soon(() => called.receive(), SHORT_MS);
  called.send(WORDS);
  soon(() => caller.receive(), SHORT_MS);
  caller.close();
  soon(() => called.receive(), SHORT_MS);
  called.close();
  return true;
}

/** Sends `bytes` through a TCP connection as fast as it goes. Returns how many arrived. */
export function streamByTcp(topology: Topology, talk: Talk, bytes: number): number {
  const connection = connect(topology, talk);
  if (connection === undefined) return 0;
  const { caller, called } = connection;
  const chunk = new Uint8Array(1 << 17).fill(0x42);
  let [sent, received] = [0, 0];
  const deadline = performance.now() + 20_000;
  while (received < bytes && performance.now() < deadline) {
    if (sent < bytes) sent += Math.max(0, caller.send(chunk.subarray(0, Math.min(chunk.length, bytes - sent))));
    received += called.receive()?.length ?? 0;
  }
  connection.close();
  return received;
}
