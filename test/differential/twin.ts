/**
 * Two identical devices under test, one firewall in each, the same stimuli for both: whatever they then disagree about is a
 * difference between the firewalls.
 *
 * Compared: every counter line of the save text, the delivered frames, the answers, what left the firewall at each hook, and
 * the result of every local send. Not compared: the identification of packets and fragments (see identification.ts).
 */
import { cpus } from 'node:os';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { asUser, openRawSocket, pinToCpu, type RawSocket } from '../../src/kernel/packet-socket.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import type { Firewall, FirewallKind, RuleSets } from '../support/firewalls.ts';
import { savedDifferences } from '../support/saved.ts';
import { buildTopology, type Topology, type TopologyOptions } from '../support/topology.ts';
import { type Delivered, installWatch, type MarkTable, readWatch } from '../support/watch.ts';
import { type CapturedFrame, openWire, type Wire } from '../support/wire.ts';
import { withoutIdentification, withoutPorts } from './identification.ts';
import { routeOf } from './route.ts';
import { destinationOf, type Phase, type Stimulus } from './stimulus.ts';

export interface Observation {
  readonly saved: Readonly<Record<Family, string>>;
  readonly frames: readonly CapturedFrame[];
  readonly delivered: Delivered;
  /** Results of the sends, in order: 0 or a negative error number. */
  readonly sent: readonly number[];
}

/** One device under test, its firewall, and the test's ends of its links. Owns namespaces and sockets. */
export interface Side {
  readonly firewall: Firewall;
  readonly topology: Topology;
  send(stimulus: Stimulus): number;
  settle(): void;
  /** Frames since the last call, and all counters. */
  observe(sent: readonly number[]): Observation;
  close(): void;
}

let nextNumber = 0;

/** Builds one side with rules in force. `marks` maps source addresses of frames to marks. */
export function buildSide(
  kind: FirewallKind,
  sets: RuleSets,
  options: Omit<TopologyOptions, 'name'>,
  marks: MarkTable = new Map(),
): Side {
  pinToCpu(cpus().length - 1);
  const topology = buildTopology({ ...options, name: `bfh-${process.pid}-${nextNumber++}` });
  let wire: Wire | undefined;
  let firewall: Firewall | undefined;
  const sockets = new Map<string, RawSocket>();
  const close = (): void => {
    for (const socket of sockets.values()) socket.close();
    wire?.close();
    firewall?.close();
    topology.close();
  };
  try {
    wire = openWire(topology);
    firewall = kind.open(topology.namespace);
    // First: early drop stops where the lists of hooks have changed since the rules were applied.
    installWatch(topology.namespace, marks);
    firewall.apply(sets);
    const { send, settle } = sender(topology, wire, sockets);
    return { firewall, topology, send, settle, observe: observer(topology, wire, firewall), close };
  } catch (error) {
    close();
    throw error;
  }
}

function sender(topology: Topology, wire: Wire, sockets: Map<string, RawSocket>): Pick<Side, 'send' | 'settle'> {
  const local = (stimulus: Extract<Stimulus, { kind: 'local' }>): RawSocket => {
    const { family, mark = 0, uid = 0, gid = 0, device } = stimulus;
    const key = `${family} ${mark} ${uid} ${gid} ${device}`;
    const known = sockets.get(key);
    if (known !== undefined) return known;
    const socket = withNamespace(topology.namespace, () =>
      asUser(uid, gid, () => openRawSocket(family, topology.devices[0]!.index)),
    );
    sockets.set(key, socket);
    socket.setMark(mark);
    if (device !== undefined) socket.bindToDevice(topology.devices[device]!.index);
    return socket;
  };
  return {
    send(stimulus) {
      if (stimulus.kind === 'frame') return wire.inject(stimulus.device, stimulus.frame);
      const destination = destinationOf(stimulus.family, stimulus.packet);
      return destination === undefined ? 0 : local(stimulus).send(stimulus.packet, destination);
    },
    settle: () => wire.settle(),
  };
}

function observer(topology: Topology, wire: Wire, firewall: Firewall): Side['observe'] {
  return (sent) => ({
    saved: { ipv4: firewall.save('ipv4'), ipv6: firewall.save('ipv6') },
    frames: wire.collect(),
    delivered: readWatch(topology.namespace),
    sent,
  });
}

export interface DifferencesOptions {
  /**
   * Compare the frames that were sent: whole (default), without what source NAT chooses, or not at all, because real sockets
   * choose sequence numbers at random.
   */
  readonly frames?: 'whole' | 'withoutPorts' | 'none';
}

/** How two observations differ; empty when they are equal. */
export function differences(
  left: Observation,
  right: Observation,
  options: DifferencesOptions = {},
): readonly string[] {
  const found: string[] = [];
  for (const family of ['ipv4', 'ipv6'] as const) {
    found.push(...savedDifferences(left.saved[family], right.saved[family]).map((line) => `${family} ${line}`));
  }
  for (const [hook, count] of Object.entries(left.delivered)) {
    if (right.delivered[hook] !== count) found.push(`passed ${hook}: ${count} | ${right.delivered[hook]}`);
  }
  const clear = options.frames === 'withoutPorts' ? withoutPorts : withoutIdentification;
  const print = (frames: readonly CapturedFrame[]): readonly string[] =>
    options.frames === 'none'
      ? []
      : frames.map(({ device, frame }) => `link ${device} ${clear(frame).toString('hex')}`);
  const [ours, theirs] = [print(left.frames), print(right.frames)];
  for (let index = 0; index < Math.max(ours.length, theirs.length); index++) {
    if (ours[index] === theirs[index]) continue;
    found.push(`frame ${index} sent: ${ours[index] ?? '(none)'} | ${theirs[index] ?? '(none)'}`);
    break;
  }
  left.sent.forEach((result, index) => {
    if (right.sent[index] !== result) found.push(`result of send ${index}: ${result} | ${right.sent[index]}`);
  });
  return found;
}

export interface TwinOptions extends Omit<TopologyOptions, 'name'>, DifferencesOptions {
  readonly left: FirewallKind;
  readonly right: FirewallKind;
  readonly marks?: MarkTable;
}

/** Source addresses that stand for marks, from the stimuli themselves. */
function marksOf(phases: readonly Phase[]): MarkTable {
  const marks = new Map<string, number>();
  for (const stimulus of phases.flatMap((phase) => phase.stimuli)) {
    if (stimulus.kind !== 'frame' || stimulus.mark === undefined) continue;
    const mac = Buffer.from(stimulus.frame.subarray(6, 12))
      .toString('hex')
      .replace(/(..)(?=.)/g, '$1:');
    if (!marks.has(mac)) marks.set(mac, stimulus.mark);
  }
  return marks;
}

/** Builds sides of these kinds, runs `body` with them, and takes them down. */
function withSides<T>(
  kinds: readonly FirewallKind[],
  sets: RuleSets,
  options: Omit<TwinOptions, 'left' | 'right'>,
  body: (sides: readonly Side[]) => T,
): T {
  const sides: Side[] = [];
  try {
    for (const kind of kinds) sides.push(buildSide(kind, sets, options, options.marks));
    return body(sides);
  } finally {
    for (const side of sides.reverse()) side.close();
  }
}

/** The same with twins. */
export function withTwins<T>(sets: RuleSets, options: TwinOptions, body: (left: Side, right: Side) => T): T {
  return withSides([options.left, options.right], sets, options, ([left, right]) => body(left!, right!));
}

/** Queues between the devices are short: they are let run empty after so many packets. */
const SETTLE_EVERY = 64;

/** Runs all phases on fresh sides, stimulus by stimulus in lockstep, and returns their observations. */
export function runSides(
  kinds: readonly FirewallKind[],
  sets: RuleSets,
  phases: readonly Phase[],
  options: Omit<TwinOptions, 'left' | 'right'>,
): readonly Observation[] {
  return withSides(kinds, sets, { ...options, marks: options.marks ?? marksOf(phases) }, (sides) => {
    const sent = sides.map((): number[] => []);
    const settle = (): void => {
      for (const side of sides) side.settle();
    };
    for (const phase of phases) {
      const { stimuli } = phase;
      const route = routeOf(phase);
      for (const side of sides) side.topology.deliver(route);
      stimuli.forEach((stimulus, index) => {
        sides.forEach((side, at) => {
          sent[at]!.push(side.send(stimulus));
        });
        if (index % SETTLE_EVERY === SETTLE_EVERY - 1) settle();
      });
      settle();
    }
    return sides.map((side, at) => side.observe(sent[at]!));
  });
}

/** The same with twins. */
export function runTwins(
  sets: RuleSets,
  phases: readonly Phase[],
  options: TwinOptions,
): readonly [left: Observation, right: Observation] {
  const [left, right] = runSides([options.left, options.right], sets, phases, options);
  return [left!, right!];
}
