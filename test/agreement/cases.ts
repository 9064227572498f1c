/** What the comparisons of evaluator, virtual machine and kernel share. */

import type { KernelFacts } from '../../src/bpf/facts.ts';
import { REFERENCE_FACTS } from '../../src/bpf/reference-facts.ts';
import { compileGeneration } from '../../src/codegen/compile.ts';
import type { CompiledGeneration, CompiledHook } from '../../src/codegen/compiled.ts';
import type { LookupOptions } from '../../src/codegen/netfilter/lookup/plan.ts';
import { type Hook, TABLE_HOOKS } from '../../src/packet/netfilter.ts';
import { evaluate } from '../../src/policy/evaluate.ts';
import type { RejectWith, TablePolicy } from '../../src/policy/ir.ts';
import { createMemory, type NamedMemory, type PolicyMemory } from '../../src/policy/memory.ts';
import type { PacketView } from '../../src/policy/packet-view.ts';

export function compile(
  policies: readonly TablePolicy[],
  facts: KernelFacts = REFERENCE_FACTS,
  lookups?: LookupOptions,
): CompiledGeneration {
  const { generation, diagnostics } = compileGeneration({
    policies,
    facts,
    ...(lookups === undefined ? {} : { lookups }),
  });
  if (generation === undefined) throw new Error(diagnostics.map((item) => item.message).join('\n'));
  return generation;
}

export function hooksOf(policy: TablePolicy): readonly Hook[] {
  return TABLE_HOOKS[policy.table].hooks;
}

export function compiledHook(
  generation: CompiledGeneration,
  policy: TablePolicy,
  hook: Hook,
): CompiledHook | undefined {
  return generation.hooks.find(
    (entry) => entry.family === policy.family && entry.table === policy.table && entry.hook === hook,
  );
}

export interface Counter {
  packets: bigint;
  bytes: bigint;
}

/** What the evaluator says of one packet, and the table's counters after it. */
export interface Expectation {
  readonly verdict: 'accept' | 'drop';
  readonly reject: RejectWith | undefined;
  readonly logs: number;
  readonly counters: readonly Counter[];
}

/** The evaluator with the counters of a whole run. */
export interface Oracle {
  run(hook: Hook, view: PacketView): Expectation;
}

/** `named`: what tables share by name. */
export function createOracle(policy: TablePolicy, hz: number, named: NamedMemory = new Map()): Oracle {
  const memory: PolicyMemory = createMemory(policy, hz, named);
  const counters: Counter[] = Array.from({ length: policy.counters }, () => ({ packets: 0n, bytes: 0n }));
  return {
    run(hook, view) {
      const { verdict, reject, logs, counted } = evaluate(policy, hook, view, memory);
      for (const counter of counted) {
        counters[counter]!.packets += 1n;
        counters[counter]!.bytes += BigInt(view.skbLength);
      }
      return { verdict, reject, logs: logs.length, counters };
    },
  };
}
