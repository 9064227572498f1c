/** What is done to a device under test: frames that arrive, packets it sends itself. */
import type { Family } from '../../src/packet/netfilter.ts';

export type Stimulus =
  /** A frame that arrives on link `device`. `mark` is set before the firewall sees it (needs a source address of its own). */
  | { readonly kind: 'frame'; readonly device: number; readonly frame: Uint8Array; readonly mark?: number }
  /**
   * A packet (IP header included) that the device under test sends itself, as user `uid` and group `gid`, out of link
   * `device` instead of the one that routing would choose.
   */
  | {
      readonly kind: 'local';
      readonly family: Family;
      readonly packet: Uint8Array;
      readonly mark?: number;
      readonly uid?: number;
      readonly gid?: number;
      readonly device?: number;
    };

export interface Phase {
  /** What happens to frames that arrive. */
  readonly path: Path;
  readonly stimuli: readonly Stimulus[];
}

/** For this machine (every unicast address that frames of the phase are sent to is then its own), or for somebody else. */
export type Path = { readonly kind: 'input' } | { readonly kind: 'forward'; readonly shift: number };

export const INPUT: Path = { kind: 'input' };
export const FORWARD: Path = { kind: 'forward', shift: 1 };

export const ETHER_TYPE = { ipv4: 0x0800, ipv6: 0x86dd } as const satisfies Record<Family, number>;
const BROADCAST = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
/** Where frames come from unless something else is asked for; distinct from every device's own address. */
const SENDER = Uint8Array.of(0x02, 0xbf, 0x73, 0, 0, 1);

export interface FrameOptions {
  readonly source?: Uint8Array;
  /** Default: by the packet's destination, unicast to `device`. */
  readonly destination?: Uint8Array;
  /** Tags between the addresses and the type, outermost first: [0x8100, 10]. */
  readonly tags?: readonly (readonly [type: number, tag: number])[];
  /** Default: by the version nibble. */
  readonly etherType?: number;
}

/** An Ethernet frame around a packet, addressed to the device with address `mac`. */
export function frameAround(packet: Uint8Array, mac: Uint8Array, options: FrameOptions = {}): Uint8Array {
  const { source = SENDER, tags = [] } = options;
  const version = (packet[0] ?? 0) >> 4;
  const etherType = options.etherType ?? (version === 6 ? ETHER_TYPE.ipv6 : ETHER_TYPE.ipv4);
  const frame = new Uint8Array(14 + 4 * tags.length + packet.length);
  frame.set(options.destination ?? destinationMac(packet, mac), 0);
  frame.set(source, 6);
  const view = new DataView(frame.buffer);
  tags.forEach(([type, tag], index) => {
    view.setUint16(12 + 4 * index, type);
    view.setUint16(14 + 4 * index, tag);
  });
  view.setUint16(12 + 4 * tags.length, etherType);
  frame.set(packet, 14 + 4 * tags.length);
  return frame;
}

/** The link-layer address a router or host would use: multicast and broadcast destinations have their own. */
function destinationMac(packet: Uint8Array, mac: Uint8Array): Uint8Array {
  const version = (packet[0] ?? 0) >> 4;
  if (version === 4 && packet.length >= 20) {
    const [a = 0, b = 0, c = 0, d = 0] = packet.subarray(16, 20);
    if (a >= 224 && a < 240) return Uint8Array.of(0x01, 0x00, 0x5e, b & 0x7f, c, d);
    if (a === 255 && b === 255 && c === 255 && d === 255) return BROADCAST;
  }
  if (version === 6 && packet.length >= 40 && packet[24] === 0xff) {
    return Uint8Array.of(0x33, 0x33, ...packet.subarray(36, 40));
  }
  return mac;
}

/** The address to which a locally sent packet is routed: the one in its header. Undefined when the header is too short. */
export function destinationOf(family: Family, packet: Uint8Array): Uint8Array | undefined {
  if (family === 'ipv4') return packet.length >= 20 ? packet.slice(16, 20) : undefined;
  return packet.length >= 40 ? packet.slice(24, 40) : undefined;
}

/** One line that identifies a stimulus in a report. */
export function describeStimulus(stimulus: Stimulus): string {
  const bytes = stimulus.kind === 'frame' ? stimulus.frame : stimulus.packet;
  const hex =
    Buffer.from(bytes.subarray(0, 256)).toString('hex') + (bytes.length > 256 ? `... (${bytes.length} bytes)` : '');
  const extra = stimulus.mark === undefined ? '' : ` mark ${stimulus.mark}`;
  if (stimulus.kind === 'frame') return `frame on link ${stimulus.device}${extra}: ${hex}`;
  const user = stimulus.uid === undefined ? '' : ` uid ${stimulus.uid} gid ${stimulus.gid ?? 0}`;
  const out = stimulus.device === undefined ? '' : ` on link ${stimulus.device}`;
  return `local ${stimulus.family}${out}${extra}${user}: ${hex}`;
}
