/**
 * Random rule sets against random packets: the reference evaluator, the virtual machine and the kernel (BPF_PROG_TEST_RUN of the
 * same programs, loaded by the real verifier) answer, count and log the same.
 *
 * TEST_RUN decides what surrounds a packet: no input device, `lo` as output device, no conntrack entry, socket or route.
 */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { KernelFacts } from '../../src/bpf/facts.ts';
import type { Choice } from '../../src/classify/classifier.ts';
import { type CompiledGeneration, type CompiledHook, MAP_NAMES } from '../../src/codegen/compiled.ts';
import type { LookupOptions } from '../../src/codegen/netfilter/lookup/plan.ts';
import { createSimulation, runHook, type SimulatedMaps } from '../../src/codegen/netfilter/simulate.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import { type BpfMap, createMap } from '../../src/kernel/map.ts';
import { type BpfProgram, loadProgram } from '../../src/kernel/program.ts';
import { openRingBuffer, type RingBuffer } from '../../src/kernel/ring-buffer.ts';
import { netfilterInput, testRun } from '../../src/kernel/test-run.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { REJECT_WITH } from '../../src/policy/ir.ts';
import type { NamedMemory } from '../../src/policy/memory.ts';
import { type PacketView, packetView } from '../../src/policy/packet-view.ts';
import { MATCH_NAMES, type MatchName, packetsFor, randomPacket, randomRulesetText } from '../generate/index.ts';
import { policiesOf } from '../generate/policies.ts';
import { suite } from '../support/suite.ts';
import { type Counter, compile, compiledHook, createOracle, type Expectation, hooksOf } from './cases.ts';

/** What depends on time or chance cannot be foretold for a real kernel. */
const UNFORETOLD: readonly MatchName[] = ['limit', 'random', 'cpu', 'time'];
const MATCHES = MATCH_NAMES.filter((name) => !UNFORETOLD.includes(name));

/** bpf_prog_test_run_nf wants a whole fixed header, */
const SHORTEST = { ipv4: 20, ipv6: 40 } as const;
/** and everything, with an Ethernet header, in what a page has besides headroom and struct skb_shared_info. */
const LONGEST = 3600;

function canRun({ family, bytes }: PacketView): boolean {
  return bytes.length >= SHORTEST[family] && bytes.length <= LONGEST;
}

function asTestRunSees(view: PacketView): PacketView {
  const { family, bytes } = view;
  return packetView({ family, bytes, out: { name: 'lo', ifindex: 1 } });
}

/** A generation in the kernel: its maps and programs, with nothing attached anywhere. Owns all descriptors. */
interface LoadedGeneration {
  run(hook: CompiledHook, view: PacketView): Expectation;
  close(): void;
}

function loadGeneration(generation: CompiledGeneration, cpus: number): LoadedGeneration {
  const maps = new Map<string, BpfMap>();
  const programs = new Map<CompiledHook, BpfProgram>();
  let ring: RingBuffer | undefined;
  const close = (): void => {
    ring?.close();
    for (const program of programs.values()) program.close();
    for (const map of maps.values()) map.close();
  };
  try {
    for (const spec of [...LASTING_MAPS, ...generation.maps]) maps.set(spec.name, createMap(spec));
    for (const hook of generation.hooks) programs.set(hook, loadProgram(hook.program, maps));
    ring = openRingBuffer(maps.get(MAP_NAMES.events)!);
  } catch (error) {
    close();
    throw error;
  }
  const events = ring;
  return {
    close,
    run(hook, view) {
      const { retval } = testRun(programs.get(hook)!, netfilterInput(view.family, hook.hook, view.bytes));
      const reject = takeReject(hook, maps);
      return {
        verdict: retval === 1 && reject === undefined ? 'accept' : 'drop',
        reject,
        logs: events.poll(0).length,
        counters: readCounters(generation, hook, maps.get(MAP_NAMES.counters)!.readValue(), cpus),
      };
    },
  };
}

const LASTING_MAPS = [
  { name: MAP_NAMES.events, type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: 1 << 16 },
  { name: MAP_NAMES.pending, type: 'hash', keySize: 8, valueSize: 4, maxEntries: 64 },
  { name: MAP_NAMES.pendingCount, type: 'array', keySize: 4, valueSize: 8, maxEntries: 1 },
] as const;

/** Plays the bridge: takes the only entry out of `pending`. */
function takeReject(hook: CompiledHook, maps: ReadonlyMap<string, BpfMap>): Expectation['reject'] {
  const pending = maps.get(MAP_NAMES.pending)!;
  const [key, ...more] = pending.keys();
  expect(more).toEqual([]);
  if (key === undefined) return undefined;
  const value = pending.lookup(key)!;
  pending.delete(key);
  const count = maps.get(MAP_NAMES.pendingCount)!;
  expect(count.readValue()[0]).toBe(1);
  count.writeValue(new Uint8Array(8));
  return REJECT_WITH[hook.family][new DataView(value.buffer, value.byteOffset).getUint32(0, true) - 1];
}

function readCounters(generation: CompiledGeneration, hook: CompiledHook, value: Uint8Array, cpus: number): Counter[] {
  const base = generation.counters.find((entry) => entry.family === hook.family && entry.table === hook.table)!;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return Array.from({ length: base.count }, (_, index) => {
    const counter = { packets: 0n, bytes: 0n };
    for (let cpu = 0; cpu < cpus; cpu++) {
      const at = cpu * generation.counterStride + (base.first + index) * 16;
      counter.packets += view.getBigUint64(at, true);
      counter.bytes += view.getBigUint64(at + 8, true);
    }
    return counter;
  });
}

function runInMachine(
  generation: CompiledGeneration,
  simulation: SimulatedMaps,
  hook: CompiledHook,
  view: PacketView,
): Expectation {
  const { verdict, reject, events, counters } = runHook(generation, hook, { view }, simulation);
  return { verdict, reject, logs: events.length, counters: [...counters()] };
}

function compareAll(
  facts: KernelFacts,
  family: Family,
  text: string,
  packets: readonly PacketView[],
  lookups?: LookupOptions,
): void {
  const policies = policiesOf(text, family);
  const generation = compile(policies, facts, lookups);
  const loaded = loadGeneration(generation, facts.possibleCpus);
  try {
    const simulation = createSimulation(generation, facts);
    const named: NamedMemory = new Map();
    for (const policy of policies) {
      const oracle = createOracle(policy, facts.hz, named);
      for (const hook of hooksOf(policy)) {
        const compiled = compiledHook(generation, policy, hook)!;
        for (const view of packets) {
          const expected = { hook, ...oracle.run(hook, view) };
          expect({ hook, ...runInMachine(generation, simulation, compiled, view) }).toEqual(expected);
          expect({ hook, ...loaded.run(compiled, view) }).toEqual(expected);
        }
      }
    }
  } finally {
    loaded.close();
  }
}

/** Milliseconds after which a property stops asking for more: the verifier's share is not ours to foretell. */
const TIME = 40_000;

suite('evaluator, virtual machine and kernel agree', ['root', 'btf'], () => {
  const facts = readKernelFacts();
  for (const family of FAMILIES) {
    const text = randomRulesetText(family, { matches: MATCHES });

    it(`on random ${family} rule sets and packets`, () => {
      const packets = fc.array(randomPacket(family), { maxLength: 20 });
      fc.assert(
        fc.property(text, packets, (rules, list) => {
          const views = list.map(asTestRunSees).filter(canRun);
          compareAll(facts, family, rules, views);
        }),
        { numRuns: 20, interruptAfterTimeLimit: TIME, markInterruptAsFailure: false },
      );
    });

    it(`on random ${family} rule sets decided by look-ups`, () => {
      const choice = fc.constantFrom<Choice>('trees', 'hashes', 'ordered', 'auto');
      const extract = { minRules: 1, maxAxes: 12, maxRowsPerRule: 64 };
      fc.assert(
        fc.property(text, fc.array(randomPacket(family), { maxLength: 5 }), choice, (rules, list, how) => {
          const made = policiesOf(rules, family).flatMap((policy) => packetsFor(policy, { limit: 20 }));
          const views = [...list, ...made.map(({ packet }) => packet)].map(asTestRunSees).filter(canRun);
          compareAll(facts, family, rules, views, { choice: how, extract });
        }),
        { numRuns: 15, interruptAfterTimeLimit: TIME, markInterruptAsFailure: false },
      );
    });

    it(`on packets made for random ${family} rule sets`, () => {
      fc.assert(
        fc.property(text, (rules) => {
          const views = policiesOf(rules, family)
            .flatMap((policy) => packetsFor(policy, { limit: 40 }))
            .map(({ packet }) => asTestRunSees(packet))
            .filter(canRun);
          compareAll(facts, family, rules, views);
        }),
        { numRuns: 10, interruptAfterTimeLimit: TIME, markInterruptAsFailure: false },
      );
    });
  }
});
