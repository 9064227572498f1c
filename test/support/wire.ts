/** The test's own end of every link: puts frames on it, takes what comes back, and knows when all is done. */
import { withNamespace } from '../../src/kernel/namespace.ts';
import { openPacketSocket, type PacketSocket } from '../../src/kernel/packet-socket.ts';
import type { Topology } from './topology.ts';

export interface CapturedFrame {
  /** Index of the link on which the device under test sent it. */
  readonly device: number;
  readonly frame: Uint8Array;
}

export interface Wire {
  /** Sends a frame to the device under test over link `device`. Returns 0 or the negative error number. */
  inject(device: number, frame: Uint8Array): number;
  /** Returns when the device under test has dealt with everything injected so far, and its peers with the answers. */
  settle(): void;
  /** Everything that arrived at the peers since the last call, link by link, in order of arrival. */
  collect(): readonly CapturedFrame[];
  close(): void;
}

/** Local experimental EtherType: no protocol handler, no firewall; our packet socket alone sees it. */
const MARKER_TYPE = 0x88b5;
/** A frame, its forwarding, the peer's answer, and that answer's forwarding: each may queue behind a marker. */
const ROUNDS = 4;
const PATIENCE_MS = 5_000;

function markerFrame(mac: Uint8Array, sequence: number): Uint8Array {
  const frame = new Uint8Array(60);
  frame.set(mac, 0);
  frame.set(mac, 6);
  const view = new DataView(frame.buffer);
  view.setUint16(12, MARKER_TYPE);
  view.setUint32(14, sequence);
  return frame;
}

function etherTypeOf(frame: Uint8Array): number {
  return frame.length < 14 ? 0 : (frame[12]! << 8) | frame[13]!;
}

/** Opens the sockets; the caller must close them. */
export function openWire(topology: Topology): Wire {
  const open: PacketSocket[] = [];
  const openIn = (namespace: string, ifindex: number, protocol?: number): PacketSocket => {
    const socket = withNamespace(namespace, () =>
      openPacketSocket({ ifindex, ...(protocol === undefined ? {} : { protocol }) }),
    );
    open.push(socket);
    return socket;
  };
  const links = topology.devices.map((device) => ({
    mac: device.mac,
    peer: openIn(device.peer.namespace, device.peer.index),
    marker: openIn(topology.namespace, device.index, MARKER_TYPE),
  }));
  let sequence = 0;

  const passMarker = (link: (typeof links)[number]): void => {
    const wanted = ++sequence;
    const result = link.peer.send(markerFrame(link.mac, wanted));
    if (result < 0) throw new Error(`cannot send a marker: error ${-result}`);
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const frame = link.marker.receive();
      if (frame !== undefined && new DataView(frame.buffer).getUint32(14) === wanted) return;
      if (frame === undefined && performance.now() > deadline) throw new Error('a marker did not arrive');
    }
  };

  return {
    inject: (device, frame) => links[device]!.peer.send(frame),
    settle() {
      for (let round = 0; round < ROUNDS; round++) for (const link of links) passMarker(link);
    },
    collect() {
      const frames: CapturedFrame[] = [];
      links.forEach((link, device) => {
        for (let frame = link.peer.receive(); frame !== undefined; frame = link.peer.receive()) {
          if (etherTypeOf(frame) !== MARKER_TYPE) frames.push({ device, frame });
        }
      });
      return frames;
    },
    close() {
      for (const socket of open.splice(0)) socket.close();
    },
  };
}
