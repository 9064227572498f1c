/** What rules need of the kernel and the machine, and naming what is missing. */

import type { KernelFacts } from '../bpf/facts.ts';
import { readKernelFacts } from '../kernel/facts.ts';
import { FEATURES, type Feature, probeFeature } from '../kernel/features.ts';
import { FirewallError, isFirewallError } from './failure.ts';
import type { FamilyPlan } from './plan.ts';

/** The facts of the running kernel. Throws FirewallError of kind `unsupported`. */
export function requiredKernelFacts(): KernelFacts {
  try {
    return readKernelFacts();
  } catch (error) {
    throw new FirewallError('unsupported', 'this kernel cannot run the rules', { cause: error });
  }
}

/** Runs `action`; when it fails, finds out whether a missing feature is the reason, and says so. */
export function explainingFailure<T>(plans: readonly FamilyPlan[], action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (isFirewallError(error)) throw error;
    const missing = missingFeatures(plans);
    if (missing.length === 0) throw error;
    const denied = missing.some(({ feature }) => feature.name === 'permissions');
    const names = missing.map(({ feature, reason }) => `${feature.name}: ${reason} (since Linux ${feature.since})`);
    throw new FirewallError(
      denied ? 'denied' : 'unsupported',
      denied
        ? missing.map(({ reason }) => reason).join('; ')
        : `this kernel lacks what the rules need:\n${names.join('\n')}`,
      { cause: error },
    );
  }
}

function missingFeatures(plans: readonly FamilyPlan[]): readonly { feature: Feature; reason: string }[] {
  const needed = new Set(plans.flatMap(featuresOf));
  return FEATURES.filter((feature) => feature.required || needed.has(feature.name)).flatMap((feature) => {
    const answer = probeFeature(feature);
    return answer.kind === 'no' ? [{ feature, reason: answer.reason }] : [];
  });
}

function featuresOf({ compiled, kernelTables, questions }: FamilyPlan): readonly string[] {
  const effects = compiled.hooks.some((hook) => hook.effects.length > 0);
  const rejects = compiled.hooks.some((hook) => hook.reject.length > 0);
  return [
    ...(compiled.needs.conntrack.length > 0 ? ['connection-tracking'] : []),
    ...(compiled.needs.log ? ['ring-buffer'] : []),
    ...(rejects ? ['bpf-match', 'reject-answers'] : []),
    ...(effects || questions.length > 0 ? ['bpf-match'] : []),
    ...(effects || kernelTables.length > 0 ? ['iptables'] : []),
  ];
}
