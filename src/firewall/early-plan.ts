/** What early drop needs of one family's rules. Pure. */

import type { KernelFacts } from '../bpf/facts.ts';
import type { ProgramSpec } from '../bpf/program.ts';
import type { CompiledGeneration } from '../codegen/compiled.ts';
import { MissingMember } from '../codegen/netfilter/context.ts';
import { ChainsTooDeep } from '../codegen/netfilter/hook.ts';
import { compileEarly, type EarlyProgram, sharesChains } from '../codegen/xdp/program.ts';
import { earlyStub } from '../codegen/xdp/stub.ts';
import { EARLY_PACKETS, type EarlyPackets, knowledgeOf } from '../early/knowledge.ts';
import { canDrop, reduceTable } from '../early/reduce.ts';
import { EARLY_HOOK, EARLY_TABLE, type EarlyReport, reportEarly } from '../early/report.ts';
import type { TablePolicy } from '../policy/ir.ts';

/** A device that early programs hang on. The index counts; the name is for messages. */
export interface EarlyDevice {
  readonly index: number;
  readonly name: string;
}

export interface EarlyPlan {
  readonly devices: readonly EarlyDevice[];
  readonly report: EarlyReport;
  /** Absent: no packet can be dropped early. */
  readonly programs?: EarlyProgram & { readonly stub: ProgramSpec };
  /** Why there are none although some rule could be decided. */
  readonly trouble?: string;
}

/** `compiled`: the generation that the policies became. */
export function planEarly(
  policies: readonly TablePolicy[],
  compiled: CompiledGeneration,
  facts: KernelFacts,
  devices: readonly EarlyDevice[],
): EarlyPlan {
  const report = reportEarly(policies);
  const none = (trouble?: string): EarlyPlan => ({ devices, report, ...(trouble === undefined ? {} : { trouble }) });
  const policy = policies.find((item) => item.table === EARLY_TABLE);
  const base = compiled.counters.find((item) => item.family === policy?.family && item.table === EARLY_TABLE);
  if (policy === undefined || base === undefined) return none();
  const tables: Readonly<Record<EarlyPackets, TablePolicy>> = {
    ordinary: reduceTable(policy, EARLY_HOOK, knowledgeOf(policy.family, 'ordinary')),
    short: reduceTable(policy, EARLY_HOOK, knowledgeOf(policy.family, 'short')),
  };
  if (!EARLY_PACKETS.some((packets) => canDrop(tables[packets], EARLY_HOOK))) return none();
  if (facts.preemptRt) return none('on a PREEMPT_RT kernel two programs could count at the same time on one CPU');
  const { counterStride } = compiled;
  try {
    const program = compileEarly({
      tables,
      hook: EARLY_HOOK,
      facts,
      firstCounter: base.first,
      counterStride,
      interrupts: sharesChains(policy, EARLY_HOOK),
    });
    if (program === undefined) return none('the rules of table raw make too large a program');
    return { ...none(), programs: { ...program, stub: earlyStub(facts) } };
  } catch (error) {
    if (error instanceof MissingMember) return none(`this kernel has no ${error.member}`);
    if (error instanceof ChainsTooDeep) return none(`chains nest ${error.depth} deep`);
    throw error;
  }
}
