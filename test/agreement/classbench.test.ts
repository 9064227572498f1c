/**
 * ClassBench rule sets with their traces, and packets that are broken in the ways that iptables drops: the reference evaluator, the
 * programs with look-ups in the virtual machine, and in the kernel. Verdict of every packet, and every counter at the end.
 */
import { describe, expect, it } from 'vitest';
import { CLASSBENCH, readFilterSet } from '../../bench/classify-sets.ts';
import { packetsOf } from '../../bench/rivals/arena.ts';
import { iptablesText } from '../../bench/rivals/texts.ts';
import type { KernelFacts } from '../../src/bpf/facts.ts';
import { REFERENCE_FACTS } from '../../src/bpf/reference-facts.ts';
import type { Choice } from '../../src/classify/classifier.ts';
import { EXTRACT_OPTIONS } from '../../src/classify/extract.ts';
import { MAP_NAMES } from '../../src/codegen/compiled.ts';
import { createSimulation, readCounters, runHook } from '../../src/codegen/netfilter/simulate.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import { netfilterInput, testRun } from '../../src/kernel/test-run.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import type { TablePolicy } from '../../src/policy/ir.ts';
import { packetView } from '../../src/policy/packet-view.ts';
import { policiesOf } from '../generate/policies.ts';
import { withLoaded } from '../support/loaded-generation.ts';
import { suite } from '../support/suite.ts';
import { type Counter, compile, compiledHook, createOracle } from './cases.ts';

const HOOK = 'PREROUTING';
const SETS = [
  ['acl1_1k', 'auto'],
  ['fw1_1k', 'trees'],
  ['ipc1_1k', 'hashes'],
] as const satisfies readonly (readonly [string, Choice])[];

interface Material {
  readonly policy: TablePolicy;
  readonly packets: readonly Uint8Array[];
}

/** The rules, and of `headers` headers of the trace the whole packet, one that is cut short, a first and a later fragment. */
function materialOf(name: string, family: Family, headers: number): Material {
  const set = readFilterSet(name, CLASSBENCH);
  const [policy] = policiesOf(iptablesText(set.filters, family), family);
  const step = Math.floor(set.trace.length / 5 / headers);
  const trace = Uint32Array.from({ length: headers * 5 }, (_, i) => set.trace[Math.floor(i / 5) * step * 5 + (i % 5)]!);
  const packets = packetsOf(trace, family).flatMap((packet) =>
    family === 'ipv4' ? [packet, cut(packet, 26), offset(packet, 1), offset(packet, 9)] : [packet, cut(packet, 45)],
  );
  return { policy: policy!, packets };
}

function cut(packet: Uint8Array, bytes: number): Uint8Array {
  return packet.slice(0, bytes);
}

/** A fragment that begins at 8 * `units`. */
function offset(packet: Uint8Array, units: number): Uint8Array {
  const out = packet.slice();
  out[7] = units;
  return out;
}

function expected({ policy, packets }: Material, family: Family): { verdicts: string[]; counters: Counter[] } {
  const oracle = createOracle(policy, REFERENCE_FACTS.hz);
  let counters: readonly Counter[] = [];
  const verdicts = packets.map((bytes) => {
    const outcome = oracle.run(HOOK, packetView({ family, bytes }));
    counters = outcome.counters;
    return outcome.verdict;
  });
  return { verdicts, counters: [...counters] };
}

function lookups(policy: TablePolicy, facts: KernelFacts, choice: Choice) {
  return compile([policy], facts, { choice, extract: EXTRACT_OPTIONS });
}

describe.each(FAMILIES)('%s in the virtual machine', (family) => {
  it.each(SETS)('%s, %s', (name, choice) => {
    const material = materialOf(name, family, 120);
    const generation = lookups(material.policy, REFERENCE_FACTS, choice);
    const hook = compiledHook(generation, material.policy, HOOK)!;
    const simulation = createSimulation(generation, REFERENCE_FACTS);
    const verdicts = material.packets.map(
      (bytes) => runHook(generation, hook, { view: packetView({ family, bytes }) }, simulation).verdict,
    );
    expect({ verdicts, counters: readCounters(generation, simulation, hook) }).toEqual(expected(material, family));
  });
});

suite('in the kernel', ['root', 'btf'], () => {
  const facts = readKernelFacts();
  it.each(FAMILIES.flatMap((family) => SETS.map(([name, choice]) => [family, name, choice] as const)))(
    '%s: %s, %s',
    (family, name, choice) => {
      const material = materialOf(name, family, 400);
      const generation = lookups(material.policy, facts, choice);
      const hook = compiledHook(generation, material.policy, HOOK)!;
      withLoaded(generation, ({ maps, program }) => {
        const verdicts = material.packets.map((bytes) =>
          testRun(program(hook), netfilterInput(family, HOOK, bytes)).retval === 1 ? 'accept' : 'drop',
        );
        const value = maps.get(MAP_NAMES.counters)!.readValue();
        const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
        const counters = Array.from({ length: material.policy.counters }, (_, index) => {
          const counter = { packets: 0n, bytes: 0n };
          for (let cpu = 0; cpu < facts.possibleCpus; cpu++) {
            const at = cpu * generation.counterStride + index * 16;
            counter.packets += view.getBigUint64(at, true);
            counter.bytes += view.getBigUint64(at + 8, true);
          }
          return counter;
        });
        expect({ verdicts, counters }).toEqual(expected(material, family));
      });
    },
  );
});
