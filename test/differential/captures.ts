/** The captures of the shared test material as stimuli. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPcap } from '../../src/packet/pcap.ts';
import { SHARED } from '../support/suite.ts';
import { macOf } from '../support/topology.ts';
import { frameAround, type Stimulus } from './stimulus.ts';

const FOLDER = join(SHARED, 'packets');
/** Group bit of an Ethernet address: broadcasts and multicasts keep theirs. */
const GROUP_BIT = 1;

export interface CaptureFile {
  readonly name: string;
  /** Whole Ethernet frames; the destination of unicast frames is to be set. */
  readonly frames: readonly Uint8Array[];
  /** Packets from the IP header on, without any link layer. */
  readonly packets: readonly { readonly family: 'ipv4' | 'ipv6'; readonly bytes: Uint8Array }[];
}

let cache: readonly CaptureFile[] | undefined;

/** All captures, read once. Packets whose link layer holds no IP are kept only when they are Ethernet frames. */
export function captures(): readonly CaptureFile[] {
  cache ??= readdirSync(FOLDER)
    .filter((name) => name.endsWith('.pcap'))
    .sort()
    .map((name) => {
      const { packets } = readPcap(readFileSync(join(FOLDER, name)));
      const ip = packets.flatMap(({ packet }) => (packet.kind === 'ip' ? [packet] : []));
      const frames = packets.map(({ frame, packet }) => {
        if (packet.kind === 'ip') return packet.ethernet ?? frameAround(packet.bytes, new Uint8Array(6));
        return frame;
      });
      return {
        name,
        frames: frames.filter((frame) => frame.length >= 14),
        packets: ip.map(({ family, bytes }) => ({ family, bytes })),
      };
    });
  return cache;
}

/** The frame as it would arrive at a device with this address. */
export function readdressed(frame: Uint8Array, mac: Uint8Array): Uint8Array {
  const copy = frame.slice();
  if ((copy[0]! & GROUP_BIT) === 0) copy.set(mac, 0);
  return copy;
}

/** Every captured frame, on every one of the first `links` links. */
export function captureStimuli(links: number, files = captures()): readonly Stimulus[] {
  return files.flatMap(({ frames }) =>
    frames.flatMap((frame) =>
      Array.from({ length: links }, (_, device): Stimulus => {
        return { kind: 'frame', device, frame: readdressed(frame, macOf(device)) };
      }),
    ),
  );
}

/** Every captured packet, sent by the device under test itself. */
export function localCaptureStimuli(files = captures()): readonly Stimulus[] {
  return files.flatMap(({ packets }) =>
    packets.map(({ family, bytes }): Stimulus => ({ kind: 'local', family, packet: bytes })),
  );
}
