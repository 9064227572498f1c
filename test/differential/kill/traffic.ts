/**
 * Traffic that no rule set of the test lets through (to port 7777) and traffic that all let through (to port 5555), on the
 * forward, input and output paths of both families, as continuously as one thread can send it.
 */
import { withNamespace } from '../../../src/kernel/namespace.ts';
import { openRawSocket, openStackSocket, type StackSocket } from '../../../src/kernel/packet-socket.ts';
import { addressToBytes, parseAddress } from '../../../src/packet/address.ts';
import { ipv4, ipv6 } from '../../../src/packet/craft.ts';
import { FAMILIES, type Family } from '../../../src/packet/netfilter.ts';
import { udp } from '../../../src/packet/transport.ts';
import { addressesOn, macOf, type Topology } from '../../support/topology.ts';
import { openWire } from '../../support/wire.ts';
import { frameAround } from '../stimulus.ts';

export const FORBIDDEN_PORT = 7777;
export const ALLOWED_PORT = 5555;

const PAYLOAD = new TextEncoder().encode('kill test');

export interface Tally {
  /** Rounds of traffic: each holds one packet of every kind. */
  rounds: number;
  /** Forbidden packets that came through, by path: none, if all is well. */
  readonly leaks: Map<string, number>;
  /** Allowed packets that came through, by path. */
  readonly passed: Map<string, number>;
}

export interface Traffic {
  readonly tally: Tally;
  /** One packet of every kind, and a look at what arrived. */
  round(): void;
  close(): void;
}

function packetTo(family: Family, destination: string, source: string, port: number): Uint8Array {
  const payload = udp({ source: 40000, destination: port, data: PAYLOAD });
  return family === 'ipv4' ? ipv4({ source, destination }, payload) : ipv6({ source, destination }, payload);
}

function add(map: Map<string, number>, key: string, count = 1): void {
  map.set(key, (map.get(key) ?? 0) + count);
}

/** Opens everything; needs two links and no rules that stop port 5555. */
export function openTraffic(topology: Topology): Traffic {
  const wire = openWire(topology);
  const closers: { close(): void }[] = [wire];
  const own = <T extends { close(): void }>(resource: T): T => {
    closers.push(resource);
    return resource;
  };
  const tally: Tally = { rounds: 0, leaks: new Map(), passed: new Map() };
  const record = (port: number, path: string): void => add(port === FORBIDDEN_PORT ? tally.leaks : tally.passed, path);

  const lanes = FAMILIES.flatMap((family) =>
    [FORBIDDEN_PORT, ALLOWED_PORT].map((port) => {
      const at = { us: addressesOn(0, 1)[family], near: addressesOn(0, 2)[family], far: addressesOn(1, 2)[family] };
      const us = addressToBytes(parseAddress(at.us, family)!, family);
      const far = addressToBytes(parseAddress(at.far, family)!, family);
      const listener: StackSocket = own(withNamespace(topology.namespace, () => openStackSocket(family, 'udp')));
      listener.bind(us, port);
      const raw = own(withNamespace(topology.namespace, () => openRawSocket(family)));
      return {
        family,
        port,
        listener,
        raw,
        far,
        forward: frameAround(packetTo(family, at.far, at.near, port), macOf(0)),
        input: frameAround(packetTo(family, at.us, at.near, port), macOf(0)),
        output: packetTo(family, at.far, addressesOn(1, 1)[family], port),
      };
    }),
  );

  const collect = (): void => {
    for (const { device, frame } of wire.collect()) {
      const ports = portsOf(frame);
      if (device === 1 && ports !== undefined)
        record(ports.destination, `${ports.family} ${ports.source === 40000 ? 'sent' : 'other'}`);
    }
    for (const lane of lanes) {
      while (lane.listener.receive() !== undefined) record(lane.port, `${lane.family} received`);
    }
  };

  return {
    tally,
    round() {
      for (const lane of lanes) {
        wire.inject(0, lane.forward);
        wire.inject(0, lane.input);
        // A packet dropped at OUTPUT is reported to its sender: anything but an error means it passed.
        if (lane.raw.send(lane.output, lane.far) === 0) record(lane.port, `${lane.family} output`);
      }
      tally.rounds++;
      collect();
    },
    close() {
      wire.settle();
      collect();
      for (const closer of closers) closer.close();
    },
  };
}

/** UDP ports of a frame without VLAN tags, IPv4 options or extension headers: what openTraffic sends. */
function portsOf(frame: Uint8Array): { family: Family; source: number; destination: number } | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const type = view.getUint16(12);
  const family: Family | undefined = type === 0x0800 ? 'ipv4' : type === 0x86dd ? 'ipv6' : undefined;
  if (family === undefined) return undefined;
  const at = family === 'ipv4' ? 34 : 54;
  const protocol = frame[family === 'ipv4' ? 23 : 20];
  if (protocol !== 17 || frame.length < at + 4) return undefined;
  return { family, source: view.getUint16(at), destination: view.getUint16(at + 2) };
}
