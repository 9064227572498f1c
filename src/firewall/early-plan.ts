/** What early drop needs of one family's rules. Pure. */

import type { KernelFacts } from '../bpf/facts.ts';
import type { ProgramSpec } from '../bpf/program.ts';
import type { CompiledGeneration } from '../codegen/compiled.ts';
import { MissingMember } from '../codegen/netfilter/context.ts';
import { ChainsTooDeep } from '../codegen/netfilter/hook.ts';
import { compileEarly, type EarlyPrograms, EarlyTooLarge } from '../codegen/xdp/program.ts';
import { earlyStub, type StubKind } from '../codegen/xdp/stub.ts';
import { type EarlyReport, reportEarly } from '../early/report.ts';
import { FIRST_STAGE, planStages, type Stages, stagesOf } from '../early/stages.ts';
import type { XdpMode } from '../kernel/xdp-link.ts';
import type { TableName } from '../packet/netfilter.ts';
import type { TablePolicy } from '../policy/ir.ts';
import type { EarlyWish } from './early-devices.ts';

/** A device that early programs hang on. The index counts; the name is for messages. */
export interface EarlyDevice {
  readonly index: number;
  readonly name: string;
  readonly kind: StubKind;
}

/** What was asked for, and the devices that this means now. */
export interface EarlyOptions {
  readonly wish: EarlyWish;
  readonly devices: readonly EarlyDevice[];
}

/** The programs that hang on devices. */
export type EarlyStubs = Readonly<Record<StubKind, ProgramSpec>>;

export interface EarlyPlan {
  readonly mode: XdpMode;
  readonly devices: readonly EarlyDevice[];
  readonly report: EarlyReport;
  /** Absent: no packet can be dropped early. */
  readonly programs?: EarlyPrograms & { readonly stubs: EarlyStubs };
  /** Why there are none, or only those of table raw, although some rule could be decided. */
  readonly trouble?: string;
}

/** The programs for devices. Throws MissingMember. */
export function earlyStubs(facts: KernelFacts): EarlyStubs {
  return { veth: earlyStub(facts, 'veth'), other: earlyStub(facts, 'other') };
}

/** `compiled`: the generation that the policies became; `kernel`: the tables that stay with the kernel. */
export function planEarly(
  policies: readonly TablePolicy[],
  kernel: readonly TableName[],
  compiled: CompiledGeneration,
  facts: KernelFacts,
  { wish: { mode }, devices }: EarlyOptions,
): EarlyPlan {
  const stages = planStages({ policies, kernel });
  const none = (about: Stages | undefined, trouble?: string): EarlyPlan => ({
    mode,
    devices,
    report: reportEarly(policies, kernel, about),
    ...(trouble === undefined ? {} : { trouble }),
  });
  if (stages === undefined) return none(undefined);
  if (facts.preemptRt)
    return none(undefined, 'on a PREEMPT_RT kernel two programs could count at the same time on one CPU');
  const compile = (about: Stages): EarlyPrograms =>
    compileEarly({
      stages: about,
      facts,
      firstCounter: (table) =>
        compiled.counters.find((item) => item.family === about.family && item.table === table)!.first,
      counterStride: compiled.counterStride,
    });
  let trouble: string | undefined;
  for (const about of [stages, rawAlone({ policies, kernel })]) {
    if (about === undefined) break;
    try {
      return { ...none(about, trouble), programs: { ...compile(about), stubs: earlyStubs(facts) } };
    } catch (error) {
      const why = troubleOf(error);
      if (why === undefined) throw error;
      trouble = stagesOf(about).length > 1 ? `nothing behind table raw: ${why}` : why;
    }
  }
  return none(undefined, trouble);
}

/** As if there were no other table. */
function rawAlone({ policies, kernel }: Parameters<typeof planStages>[0]): Stages | undefined {
  return planStages({ policies: policies.filter(({ table }) => table === FIRST_STAGE.table), kernel });
}

function troubleOf(error: unknown): string | undefined {
  if (error instanceof MissingMember) return `this kernel has no ${error.member}`;
  if (error instanceof ChainsTooDeep) return `chains nest ${error.depth} deep`;
  if (error instanceof EarlyTooLarge) return error.message;
  return undefined;
}
