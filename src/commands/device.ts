/** `apply --hook` and `check --hook`: whole policies on devices. */

import { REFERENCE_FACTS } from '../bpf/reference-facts.ts';
import {
  type DeviceChain,
  type DeviceHook,
  defaultChain,
  hookText,
  parseDeviceChain,
  parseDeviceHook,
} from '../device/hook.ts';
import type { PlannedDevice } from '../firewall/device-install.ts';
import { type DevicePlan, planDevice } from '../firewall/device-plan.ts';
import { hasErrors } from '../firewall/plan.ts';
import type { Ruleset } from '../rules/model.ts';
import { wholeNumber } from './arguments.ts';
import { EXIT, type Invocation, UsageError } from './command.ts';
import { parseFiles, readFiles, report, requireOnePerFamily } from './operands.ts';
import { netnsFor } from './options.ts';
import { patiently } from './patience.ts';

/** The hooks that --hook names; undefined without it. Throws UsageError. */
export function deviceHooks(options: Invocation['options']): readonly DeviceHook[] | undefined {
  const value = options['hook'];
  if (typeof value !== 'string') return undefined;
  const hooks = value.split(',').map((text) => {
    const hook = parseDeviceHook(text);
    if (hook === undefined)
      throw new UsageError(`--hook: "${text}" is not xdp:DEVICE, tc-ingress:DEVICE or tc-egress:DEVICE`);
    return hook;
  });
  const twice = hooks.map(hookText).find((text, at, all) => all.indexOf(text) !== at);
  if (twice !== undefined) throw new UsageError(`--hook: ${twice} is named twice`);
  return hooks;
}

/** Options of `apply` that say something about netfilter only. */
const ELSEWHERE = ['xdp'] as const;

function chainOf(options: Invocation['options'], hook: DeviceHook): DeviceChain {
  const value = options['chain'];
  if (typeof value !== 'string') return defaultChain(hook.kind);
  const chain = parseDeviceChain(value);
  if (chain === undefined)
    throw new UsageError(
      `--chain: "${value}" is no built-in chain of a table that filters, such as INPUT or mangle/PREROUTING`,
    );
  return chain;
}

export async function run(invocation: Invocation): Promise<number> {
  const { options, output, host } = invocation;
  const netns = netnsFor(invocation);
  const hooks = deviceHooks(options) ?? [];
  const elsewhere = ELSEWHERE.find((name) => options[name] !== undefined);
  if (elsewhere !== undefined) throw new UsageError(`--hook and --${elsewhere} exclude each other`);
  const waitSeconds = wholeNumber('wait', options['wait']) ?? 0;
  const files = readFiles(invocation);
  requireOnePerFamily(files);
  const rulesets = parseFiles(files, output, host);
  if (rulesets === undefined) return EXIT.usage;

  const { requiredKernelFacts } = await import('../firewall/requirements.ts');
  const facts = requiredKernelFacts();
  const { withSession, withExclusiveSession } = await import('../firewall/session.ts');
  const devices = await findDevices(hooks, (find) => withSession(netns, find));
  const planned: PlannedDevice[] = [];
  let wrong = false;
  for (const { hook, index, link } of devices) {
    const planOptions = { counters: options['counters'] === true, strict: options['strict'] === true, link };
    const { plan, diagnostics } = planDevice(rulesets, hook, chainOf(options, hook), facts, planOptions);
    report(diagnostics, output);
    wrong ||= hasErrors(diagnostics) || plan === undefined;
    if (plan !== undefined)
      planned.push({ plan, index, mode: options['generic'] === true ? 'generic' : 'native', cpus: facts.possibleCpus });
  }
  if (wrong) return EXIT.usage;
  if (options['dry-run'] !== true) {
    const { applyDevices } = await import('../firewall/device-install.ts');
    const change = (wait: number): readonly string[] =>
      withExclusiveSession(netns, wait, ({ layout }) => {
        host.begin();
        return applyDevices(layout, planned);
      });
    const warnings = host.shared ? await patiently(waitSeconds, change) : change(waitSeconds);
    for (const warning of warnings) output.err(`bpfilter apply: warning: ${warning}`);
  }
  const plans = planned.map(({ plan }) => plan);
  output.out(options['json'] === true ? asJson(plans) : plans.map(asText).join(''));
  return EXIT.done;
}

interface FoundDevice {
  readonly hook: DeviceHook;
  readonly index: number;
  readonly link: 'ethernet' | 'none';
}

/** Throws UsageError for what is no device, or has frames that are not understood. */
async function findDevices(
  hooks: readonly DeviceHook[],
  inside: (find: () => readonly FoundDevice[]) => readonly FoundDevice[],
): Promise<readonly FoundDevice[]> {
  const { networkDevices } = await import('../kernel/devices.ts');
  const { deviceType, linkLayerOf } = await import('../kernel/device-type.ts');
  return inside(() => {
    const present = networkDevices();
    return hooks.map((hook) => {
      const device = present.find(({ name }) => name === hook.device);
      if (device === undefined) throw new UsageError(`--hook: there is no network device "${hook.device}"`);
      const type = deviceType(hook.device);
      const link = linkLayerOf(type);
      if (link === undefined || (link === 'none' && hook.kind === 'xdp'))
        throw new UsageError(`--hook: frames of ${hook.device} do not begin with an Ethernet header (type ${type})`);
      return { hook, index: device.index, link };
    });
  });
}

/** `check --hook`: the same diagnostics, for any kernel and any device. */
export function checkDevices(rulesets: readonly Ruleset[], { options, output }: Invocation): boolean {
  let right = true;
  for (const hook of deviceHooks(options) ?? []) {
    const planOptions = { counters: false, strict: options['strict'] === true, link: 'ethernet' } as const;
    const { diagnostics } = planDevice(rulesets, hook, chainOf(options, hook), REFERENCE_FACTS, planOptions);
    report(diagnostics, output);
    right &&= !hasErrors(diagnostics);
  }
  return right;
}

function asText({ hook, chain, families }: DevicePlan): string {
  return `${hookText(hook)}: ${chain.table} ${chain.hook}, ${families.map(({ family, chains }) => `${family} ${chains.reduce((sum, { rules }) => sum + rules.length, 0)} rules`).join(', ')}\n`;
}

function asJson(plans: readonly DevicePlan[]): string {
  const hooks = plans.map(({ hook, chain, families }) => ({
    hook: hookText(hook),
    table: chain.table,
    chain: chain.hook,
    families: families.map(({ family }) => family),
  }));
  return `${JSON.stringify({ version: 1, hooks }, undefined, 2)}\n`;
}
