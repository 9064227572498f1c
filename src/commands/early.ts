/** `apply --xdp`: which devices are meant, and what is said about the rules. */

import type { EarlyReason } from '../early/report.ts';
import { absentDevice, type EarlyWish, wishedDevices } from '../firewall/early-devices.ts';
import type { EarlyOptions } from '../firewall/early-plan.ts';
import type { FamilyPlan } from '../firewall/plan.ts';
import type { NetworkDevice } from '../kernel/devices.ts';
import { type Invocation, UsageError } from './command.ts';

/** What --xdp and --xdp-mode ask for; undefined without. `present`: the namespace's devices. Throws UsageError. */
export function earlyOptions(
  options: Invocation['options'],
  present: () => readonly NetworkDevice[],
): EarlyOptions | undefined {
  const value = options['xdp'];
  const mode = options['xdp-mode'] ?? 'native';
  if (typeof value !== 'string') {
    if (options['xdp-mode'] !== undefined) throw new UsageError('--xdp-mode: only together with --xdp');
    return undefined;
  }
  if (mode === 'offload') throw new UsageError(`--xdp-mode offload: ${NO_OFFLOAD}`);
  if (mode !== 'native' && mode !== 'generic')
    throw new UsageError(`--xdp-mode: "${String(mode)}" is none of native, generic, offload`);
  const wish: EarlyWish = { words: value.split(','), mode };
  const devices = present();
  const absent = absentDevice(wish, devices);
  if (absent !== undefined) throw new UsageError(`--xdp: [xdp-no-device] there is no network device "${absent}"`);
  return { wish, devices: wishedDevices(wish, devices) };
}

const NO_OFFLOAD =
  "[xdp-offload] a network card cannot run these programs: they read the kernel's memory (devices, routes, connections), which is what makes " +
  'early drop the same as the rules, and share their counters with the programs at the netfilter hooks';

const REASONS = {
  'behind nat': 'come behind the nat of the kernel, which counts and changes packets',
  'behind a kernel table': 'come behind a table that stays with the kernel',
  'not on the way in': 'are met by no packet that arrives',
  'asks for more': 'ask for what only the stack knows',
  'behind another rule': 'come behind a rule whose outcome only the stack knows',
} as const satisfies Record<EarlyReason, string>;

/** A line for each family: how many of its DROP rules can drop early, and one for each reason why others cannot. */
export function earlyText(plans: readonly FamilyPlan[]): string {
  return plans
    .flatMap(({ family, early }) => {
      if (early === undefined) return [];
      const { drops, early: count, others } = early.report;
      const where = early.devices.map(({ name }) => name).join(', ') || 'no device';
      return [
        `early drop, ${family}, on ${where}: ${early.programs === undefined ? 0 : count} of ${drops} DROP rules\n`,
        ...(early.trouble === undefined ? [] : [`  none: ${early.trouble}\n`]),
        ...others.map(({ reason, count: number, example }) => `  ${number} ${REASONS[reason]}: ${example}\n`),
      ];
    })
    .join('');
}

/** The same for --json. */
export function earlyJson(plans: readonly FamilyPlan[]): readonly object[] {
  return plans.flatMap(({ family, early }) =>
    early === undefined
      ? []
      : [
          {
            family,
            devices: early.devices.map(({ name }) => name),
            active: early.programs !== undefined,
            ...early.report,
          },
        ],
  );
}
