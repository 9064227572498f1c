/**
 * Compiled hooks in the virtual machine: the oracle between the evaluator and the kernel. One simulation holds the maps of
 * one generation and keeps them from packet to packet, as a kernel does.
 */

import type { KernelFacts } from '../../bpf/facts.ts';
import type { MapSpec, ProgramSpec } from '../../bpf/program.ts';
import { HELPERS } from '../../bpf/vm/helpers.ts';
import { KFUNCS } from '../../bpf/vm/kfuncs.ts';
import { linkProgram, type VmProgram } from '../../bpf/vm/link.ts';
import { createMachine, type Machine, runProgram } from '../../bpf/vm/machine.ts';
import { createVmMap, deleteElement, readElement, updateElement, type VmMap } from '../../bpf/vm/maps.ts';
import { VmFault } from '../../bpf/vm/memory.ts';
import { drainRing } from '../../bpf/vm/ringbuf.ts';
import { REJECT_WITH, type RejectWith } from '../../policy/ir.ts';
import { type PacketView, packetView } from '../../policy/packet-view.ts';
import { type CompiledGeneration, type CompiledHook, MAP_NAMES } from '../compiled.ts';
import { askedEntry } from './asked.ts';
import { decodeList, type EffectList } from './effect-list.ts';
import { EFFECT_MAPS } from './effects.ts';
import { installClock, setClock } from './simulate-environment.ts';
import { layOutPacket, type SimulatedPacket } from './simulate-layout.ts';
import { answeredEntry } from './staged.ts';

export type { SimulatedPacket } from './simulate-layout.ts';

/** The state of one simulated machine: what a kernel keeps between packets. */
export interface SimulatedMaps {
  readonly facts: KernelFacts;
  readonly machine: Machine;
  readonly maps: ReadonlyMap<string, VmMap>;
  readonly programs: Map<ProgramSpec, VmProgram>;
  /** Whose clock and random numbers programs see now. */
  packet: PacketView;
}

export interface SimulatedRun {
  /** What becomes of the packet once the REJECT bridge has done its part. */
  readonly verdict: 'accept' | 'drop';
  /** The answer that the program left in `pending` for the bridge; the verdict is `drop`. */
  readonly reject?: RejectWith;
  /** Effects in the packet's list (TablePolicy.effects). */
  readonly effects: readonly number[];
  /** How often the packet was suspended. */
  readonly suspended: number;
  /** r0 of the program. */
  readonly returned: bigint;
  /** Records it put into the ring of events, in order. */
  readonly events: readonly Uint8Array[];
  /** The counters of the hook's table, read when called. */
  readonly counters: () => readonly SimulatedCounter[];
}

/** Packets and bytes, unsigned 64 bit, summed over all CPUs. */
export interface SimulatedCounter {
  readonly packets: bigint;
  readonly bytes: bigint;
}

/** The maps that outlive generations, small. */
const LASTING_MAPS: readonly MapSpec[] = [
  { name: MAP_NAMES.events, type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: 1 << 20 },
  { name: MAP_NAMES.pending, type: 'hash', keySize: 8, valueSize: 4, maxEntries: 64 },
  { name: MAP_NAMES.pendingCount, type: 'array', keySize: 4, valueSize: 8, maxEntries: 1 },
  ...EFFECT_MAPS,
];

/** Enough for any program that the kernel's verifier would let pass. */
const BUDGET = 4_000_000;

/** A machine with fresh maps for a generation. `cpu`: the CPU that programs believe to run on. */
export function createSimulation(generation: CompiledGeneration, facts: KernelFacts, cpu = 0): SimulatedMaps {
  const machine = createMachine({
    helpers: HELPERS,
    kfuncs: KFUNCS,
    unmapped: 'zero',
    environment: {
      jiffies: () => simulation.packet.now,
      nanoseconds: () => (simulation.packet.now * 1_000_000_000n) / BigInt(facts.hz),
      random: () => simulation.packet.random(),
      cpu,
    },
  });
  installClock(machine, facts);
  const specs = new Map([...LASTING_MAPS, ...generation.maps].map((spec) => [spec.name, spec]));
  const maps = new Map([...specs].map(([name, spec]) => [name, createVmMap(machine, spec, facts.possibleCpus)]));
  const simulation: SimulatedMaps = {
    facts,
    machine,
    maps,
    programs: new Map(),
    packet: packetView({ family: 'ipv4', bytes: new Uint8Array(0) }),
  };
  return simulation;
}

/**
 * Runs one packet through a hook's program. Throws a VmFault when the program does what the verifier would have refused,
 * or returns neither 0 nor 1.
 */
export function runHook(
  generation: CompiledGeneration,
  hook: CompiledHook,
  packet: SimulatedPacket,
  simulation: SimulatedMaps,
): SimulatedRun {
  const { machine, maps } = simulation;
  let program = simulation.programs.get(hook.program);
  if (program === undefined) {
    program = linkProgram(machine, hook.program, maps);
    simulation.programs.set(hook.program, program);
  }
  simulation.packet = packet.view;
  setClock(machine, simulation.facts, packet.view);
  const laidOut = layOutPacket(machine, simulation.facts, hook.hook, packet);
  try {
    if (hook.answers.length > 0) enterAnswers(simulation, laidOut.skb, packet.view.answers ?? 0n);
    let returned = runProgram(machine, program, [laidOut.context], BUDGET);
    const first =
      generation.staged?.find((base) => base.family === hook.family && base.table === hook.table)?.first ?? 0;
    const answer = (question: number): boolean => ((packet.view.staged ?? 0n) >> BigInt(question - first)) % 2n === 1n;
    let suspended = 0;
    for (; suspended < (hook.stages?.count ?? 0); suspended++) {
      const waiting = readElement(maps.get(MAP_NAMES.suspended)!, addressKey(laidOut.skb));
      if (waiting === undefined) break;
      answeredEntry(waiting, answer);
      returned = runProgram(machine, program, [laidOut.context], BUDGET);
    }
    if (returned > 1n) throw new VmFault(`${hook.program.name} returned ${returned}`);
    const list = takeList(hook, simulation, laidOut.skb);
    const reject = list.reject ?? takePending(hook, simulation, laidOut.skb);
    const events = maps.get(MAP_NAMES.events);
    return {
      verdict: returned === 1n && reject === undefined && !list.drop ? 'accept' : 'drop',
      effects: list.effects,
      ...(reject === undefined ? {} : { reject }),
      suspended,
      returned,
      events: events?.kind === 'ringbuf' ? drainRing(events) : [],
      counters: () => readCounters(generation, simulation, hook),
    };
  } finally {
    laidOut.release();
  }
}

function addressKey(address: bigint): Uint8Array {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigUint64(0, address, true);
  return key;
}

/** What the chain in front of the program does when it has been asked. */
function enterAnswers({ maps }: SimulatedMaps, skb: bigint, answers: bigint): void {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigUint64(0, skb, true);
  updateElement(maps.get(MAP_NAMES.asked)!, key, askedEntry(answers), 0n);
}

/** What the bridge does: looks the packet up in `pending` and takes it out. */
function takePending(hook: CompiledHook, { maps }: SimulatedMaps, skb: bigint): RejectWith | undefined {
  const pending = maps.get(MAP_NAMES.pending)!;
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigUint64(0, skb, true);
  const value = readElement(pending, key);
  if (value === undefined) return undefined;
  const rejectClass = new DataView(value.buffer, value.byteOffset).getUint32(0, true) - 1;
  const reject = REJECT_WITH[hook.family][rejectClass];
  if (reject === undefined) throw new VmFault(`${hook.program.name} asked for reject class ${rejectClass}`);
  const count = readElement(maps.get(MAP_NAMES.pendingCount)!, new Uint8Array(4))!;
  const view = new DataView(count.buffer, count.byteOffset);
  if (view.getBigUint64(0, true) !== 1n) throw new VmFault(`${hook.program.name} left pending_n wrong`);
  view.setBigUint64(0, 0n, true);
  deleteElement(pending, key);
  return reject;
}

/** What the kernel's table does: looks the packet's list up and takes it out. */
function takeList(hook: CompiledHook, { maps }: SimulatedMaps, skb: bigint): EffectList {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigUint64(0, skb, true);
  const lists = maps.get(MAP_NAMES.effects)!;
  const value = readElement(lists, key);
  if (value === undefined) return { effects: [], drop: false };
  const list = decodeList(value, hook);
  const count = readElement(maps.get(MAP_NAMES.effectCount)!, new Uint8Array(4))!;
  const view = new DataView(count.buffer, count.byteOffset);
  if (view.getBigUint64(0, true) !== 1n) throw new VmFault(`${hook.program.name} left bf_effects_n wrong`);
  view.setBigUint64(0, 0n, true);
  deleteElement(lists, key);
  return list;
}

/** The counters of one table, in the order of its policy's counter numbers. */
export function readCounters(
  generation: CompiledGeneration,
  { maps, facts }: SimulatedMaps,
  table: Pick<CompiledHook, 'family' | 'table'>,
): readonly SimulatedCounter[] {
  const base = generation.counters.find((entry) => entry.family === table.family && entry.table === table.table);
  const map = maps.get(MAP_NAMES.counters);
  if (base === undefined || map?.kind !== 'array') return [];
  const { view } = map.values;
  return Array.from({ length: base.count }, (_, index) => {
    let packets = 0n;
    let bytes = 0n;
    for (let cpu = 0; cpu < facts.possibleCpus; cpu++) {
      const at = cpu * generation.counterStride + (base.first + index) * 16;
      packets += view.getBigUint64(at, true);
      bytes += view.getBigUint64(at + 8, true);
    }
    return { packets: BigInt.asUintN(64, packets), bytes: BigInt.asUintN(64, bytes) };
  });
}
