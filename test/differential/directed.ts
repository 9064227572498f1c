/** Packets made for a policy (test/generate) as things that can be done to a real device. */
import type { Family, Hook } from '../../src/packet/netfilter.ts';
import type { TablePolicy } from '../../src/policy/ir.ts';
import type { PacketView } from '../../src/policy/packet-view.ts';
import { packetsFor } from '../generate/index.ts';
import { macOf } from '../support/topology.ts';
import { destinationOf, FORWARD, frameAround, INPUT, type Phase, type Stimulus } from './stimulus.ts';

const BROADCAST = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
const MULTICAST = Uint8Array.of(0x01, 0x00, 0x5e, 0x00, 0x00, 0x01);
/** Source addresses 02:bf:6d:... stand for marks when the packet asks for no address of its own. */
const MARK_PREFIX = [0x02, 0xbf, 0x6d] as const;

/** A packet, and what a sender must do for it to look as the policy wants it. */
export interface Wanted {
  readonly hook: Hook;
  readonly packet: PacketView;
}

/** Turns views into phases: all that is received by this machine, all that is forwarded (by distance), all that it sends. */
export function phasesFor(wanted: readonly Wanted[], devices: readonly string[]): readonly Phase[] {
  const input: Stimulus[] = [];
  const local: Stimulus[] = [];
  const forward = new Map<number, Stimulus[]>();
  const marks = new Map<number, number>();
  const place = (name: string | undefined): number | undefined => {
    const index = name === undefined ? -1 : devices.indexOf(name);
    return index === -1 ? undefined : index;
  };
  for (const { hook, packet } of wanted) {
    if (hook === 'OUTPUT' || hook === 'POSTROUTING') {
      local.push(localStimulus(packet, place(packet.out?.name)));
      continue;
    }
    const from = place(packet.in?.name) ?? 0;
    const stimulus = frameStimulus(packet, from, marks);
    if (hook !== 'FORWARD') {
      input.push(stimulus);
      continue;
    }
    const to = place(packet.out?.name) ?? (from + 1) % devices.length;
    const shift = (to - from + devices.length) % devices.length;
    const list = forward.get(shift) ?? [];
    list.push(stimulus);
    forward.set(shift, list);
  }
  return [
    { path: INPUT, stimuli: input },
    // Not while foreign addresses are ours: see isOwn.
    { path: FORWARD, stimuli: local },
    ...[...forward]
      .sort(([a], [b]) => a - b)
      .map(([shift, stimuli]): Phase => ({ path: { kind: 'forward', shift }, stimuli })),
  ].filter(({ stimuli }) => stimuli.length > 0);
}

/**
 * A packet to ourselves. A socket bound to a device sends even that out, and then the packet's route says one thing about its
 * destination and the address tables, which addrtype asks, another.
 */
function isOwn(packet: Uint8Array, family: Family): boolean {
  const destination = destinationOf(family, packet);
  if (destination === undefined) return false;
  if (family === 'ipv4') return destination[0] === 127 || (destination[0] === 10 && destination[1] === 200);
  return (
    destination.every((byte, at) => byte === (at === 15 ? 1 : 0)) ||
    (destination[0] === 0xfd && destination[1] === 0xbf)
  );
}

function localStimulus(packet: PacketView, device: number | undefined): Stimulus {
  const { family, bytes, mark, socket } = packet;
  const owner = socket?.file;
  return {
    kind: 'local',
    family,
    packet: bytes,
    ...(mark === 0 ? {} : { mark }),
    ...(owner === undefined ? {} : { uid: owner.uid, gid: owner.gid }),
    ...(device === undefined || isOwn(bytes, family) ? {} : { device }),
  };
}

function frameStimulus(packet: PacketView, device: number, marks: Map<number, number>): Stimulus {
  const { bytes, mark, pkttype, mac } = packet;
  const destination = pkttype === 1 ? BROADCAST : pkttype === 2 ? MULTICAST : undefined;
  let source = mac?.slice(6, 12);
  if (mark !== 0) {
    const number = marks.get(mark) ?? marks.size + 1;
    marks.set(mark, number);
    source ??= Uint8Array.of(...MARK_PREFIX, number >> 16, (number >> 8) & 255, number & 255);
  }
  const frame = frameAround(bytes, macOf(device), {
    ...(source === undefined ? {} : { source }),
    ...(destination === undefined ? {} : { destination }),
    etherType: packet.family === 'ipv4' ? 0x0800 : 0x86dd,
  });
  return { kind: 'frame', device, frame, ...(mark === 0 ? {} : { mark }) };
}

/** At most this many packets for one policy. */
const MOST_PACKETS = 4000;

/** Phases with packets for every rule of every one of these policies. */
export function directedPhases(
  policies: readonly TablePolicy[],
  devices: readonly string[],
  limit = MOST_PACKETS,
): readonly Phase[] {
  return phasesFor(
    policies.flatMap((policy) => packetsFor(policy, { limit, nasty: false })),
    devices,
  );
}
