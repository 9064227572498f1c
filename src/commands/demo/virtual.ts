/** The demonstration without a kernel: the programs that would be loaded, run in the built-in virtual machine over a capture. */
import { REFERENCE_FACTS } from '../../bpf/reference-facts.ts';
import { compileGeneration } from '../../codegen/compile.ts';
import { createSimulation, readCounters, runHook } from '../../codegen/netfilter/simulate.ts';
import { lowerTable } from '../../lowering/lower-table.ts';
import type { Family, Hook } from '../../packet/netfilter.ts';
import { readPcap } from '../../packet/pcap.ts';
import { evaluate } from '../../policy/evaluate.ts';
import type { TablePolicy } from '../../policy/ir.ts';
import { createMemory } from '../../policy/memory.ts';
import type { PacketView } from '../../policy/packet-view.ts';
import type { Counters } from '../../rules/model.ts';
import type { Example } from './examples.ts';
import { type TallyLine, tallyOf } from './tally.ts';
import { createTracker } from './tracker.ts';

export interface VirtualResult {
  readonly packets: number;
  /** What the programs counted in the virtual machine. */
  readonly machine: readonly TallyLine[];
  /** What the reference evaluator counted, which interprets the rules and compiles nothing. */
  readonly evaluator: readonly TallyLine[];
}

/** Runs the packets of one family in a capture through an example's filter table. */
export function runVirtual(example: Example, capture: Uint8Array): VirtualResult {
  const table = example.ruleset.tables.find(({ name }) => name === 'filter');
  const policy = table === undefined ? undefined : lowerTable(table, example.family).policy;
  const { generation } = compileGeneration({ policies: policy === undefined ? [] : [policy], facts: REFERENCE_FACTS });
  if (policy === undefined || generation === undefined) throw new Error(`${example.name} cannot be run`);

  const simulation = createSimulation(generation, REFERENCE_FACTS);
  const memory = createMemory(policy, REFERENCE_FACTS.hz);
  const counted = Array.from({ length: policy.counters }, (): Counters => ({ packets: 0n, bytes: 0n }));
  const packets = viewsOf(capture, example.family);
  for (const { hook, view } of packets) {
    const compiled = generation.hooks.find((candidate) => candidate.hook === hook);
    if (compiled !== undefined) runHook(generation, compiled, { view }, simulation);
    for (const index of evaluate(policy, hook, view, memory).counted) {
      const { packets: before, bytes } = counted[index]!;
      counted[index] = { packets: before + 1n, bytes: bytes + BigInt(view.skbLength) };
    }
  }
  const lines = tallyOf(example.ruleset).filter((line) => line.table === 'filter');
  const inMachine = readCounters(generation, simulation, { family: example.family, table: 'filter' });
  return {
    packets: packets.length,
    machine: withCounters(lines, policy, inMachine),
    evaluator: withCounters(lines, policy, counted),
  };
}

/** Lines in the order of the rule set get the counters of the policy, chain by chain. */
function withCounters(
  lines: readonly TallyLine[],
  policy: TablePolicy,
  counters: readonly Counters[],
): readonly TallyLine[] {
  const seen = new Map<string, number>();
  return lines.map((line) => {
    const chain = policy.chains.find(({ name }) => name === line.chain);
    const index = seen.get(line.chain) ?? 0;
    seen.set(line.chain, index + 1);
    const counter = line.rule === 'policy' ? chain?.base?.counter : chain?.rules[index]?.counter;
    return { ...line, counters: (counter === undefined ? undefined : counters[counter]) ?? { packets: 0n, bytes: 0n } };
  });
}

/** Local port range and multicast play no part here: what is sent to the server goes to INPUT, what it sends to OUTPUT. */
function viewsOf(capture: Uint8Array, family: Family): readonly { hook: Hook; view: PacketView }[] {
  const track = createTracker(family);
  return readPcap(capture).packets.flatMap(({ packet }) =>
    packet.kind === 'ip' && packet.family === family ? [track(packet.bytes)] : [],
  );
}
