/** `bpfilter apply`: reads, plans, installs and switches. */

import type { ApplyResult } from '../firewall/install.ts';
import { shareOf } from '../firewall/placement.ts';
import { type FamilyPlan, hasErrors } from '../firewall/plan.ts';
import { planFamilies } from '../firewall/plan-families.ts';
import { wholeNumber } from './arguments.ts';
import { EXIT, type Invocation, UsageError } from './command.ts';
import { earlyJson, earlyOptions, earlyText } from './early.ts';
import { parseFiles, readFiles, report, requireOnePerFamily } from './operands.ts';
import { netnsFor } from './options.ts';
import { patiently } from './patience.ts';
import { placementTable } from './placement-table.ts';

export async function run(invocation: Invocation): Promise<number> {
  const { options, output, host } = invocation;
  if (options['hook'] !== undefined) return (await import('./device.ts')).run(invocation);
  if (options['chain'] !== undefined || options['generic'] !== undefined)
    throw new UsageError('--chain and --generic belong to --hook');
  const netns = netnsFor(invocation);
  const waitSeconds = wholeNumber('wait', options['wait']) ?? 0;
  const files = readFiles(invocation);
  requireOnePerFamily(files);
  const rulesets = parseFiles(files, output, host);
  if (rulesets === undefined) return EXIT.usage;

  // Only now: a faulty rule set is reported on every machine, whatever its kernel can do.
  const { explainingFailure, requiredKernelFacts } = await import('../firewall/requirements.ts');
  const facts = requiredKernelFacts();
  const { readObjects } = await import('../firewall/objects.ts');
  const { withSession } = await import('../firewall/session.ts');
  const objects = withSession(netns, () => readObjects(rulesets));
  const { networkDevices } = await import('../kernel/devices.ts');
  const early = earlyOptions(options, () => withSession(netns, networkDevices));
  const planOptions = {
    counters: options['counters'] === true,
    strict: options['strict'] === true,
    objects,
    ...(early === undefined ? {} : { early }),
  };
  const { namesInForce } = await import('../firewall/names-in-force.ts');
  const named = withSession(netns, ({ layout }) => namesInForce(layout));
  const results = planFamilies(rulesets, facts, planOptions, named);
  const diagnostics = results.flatMap((result) => result.diagnostics);
  report(diagnostics, output);
  if (diagnostics.some((item) => item.code === 'kernel-lacks-member')) return EXIT.unsupported;
  if (hasErrors(diagnostics)) return EXIT.usage;
  const plans = results.flatMap(({ plan }) => (plan === undefined ? [] : [plan]));

  let result: ApplyResult | undefined;
  if (options['dry-run'] !== true) {
    const { applyPlans } = await import('../firewall/install.ts');
    const { withExclusiveSession } = await import('../firewall/session.ts');
    const change = (wait: number): ApplyResult =>
      explainingFailure(plans, () =>
        withExclusiveSession(netns, wait, (session) => {
          host.begin();
          return applyPlans(session.layout, plans);
        }),
      );
    result = host.shared ? await patiently(waitSeconds, change) : change(waitSeconds);
  }
  for (const warning of result?.warnings ?? []) output.err(`bpfilter apply: warning: ${warning}`);
  output.out(options['json'] === true ? asJson(plans, result) : asText(plans));
  return EXIT.done;
}

function asText(plans: readonly FamilyPlan[]): string {
  return placementTable(plans.flatMap((plan) => plan.placements)) + earlyText(plans);
}

function asJson(plans: readonly FamilyPlan[], result: ApplyResult | undefined): string {
  const chains = plans.flatMap((plan) => plan.placements);
  const json = {
    version: 1,
    applied: result !== undefined,
    ...(result === undefined ? {} : { generation: result.generation, programs: result.programs }),
    chains,
    share: shareOf(chains),
    ...(plans.some((plan) => plan.early !== undefined) ? { early: earlyJson(plans) } : {}),
  };
  return `${JSON.stringify(json, undefined, 2)}\n`;
}
