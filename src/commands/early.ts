/** `apply --xdp`: which devices are meant, and what is said about the rules. */

import type { EarlyReason } from '../early/report.ts';
import type { EarlyDevice } from '../firewall/early-plan.ts';
import type { FamilyPlan } from '../firewall/plan.ts';
import type { NetworkDevice } from '../kernel/devices.ts';
import { type Invocation, UsageError } from './command.ts';

/** Devices of which it is known how the tag of a VLAN reaches an XDP program. */
const DRIVERS: ReadonlySet<string> = new Set(['veth']);

/** The devices that --xdp names; undefined without it. `present`: the namespace's. Throws UsageError. */
export function earlyDevices(
  options: Invocation['options'],
  present: () => readonly NetworkDevice[],
): readonly EarlyDevice[] | undefined {
  const value = options['xdp'];
  if (typeof value !== 'string') return undefined;
  const devices = present();
  if (value === 'auto') return devices.filter(({ driver }) => DRIVERS.has(driver)).map(plain);
  return value.split(',').map((name) => {
    const device = devices.find((item) => item.name === name);
    if (device === undefined) throw new UsageError(`--xdp: there is no network device "${name}"`);
    if (DRIVERS.has(device.driver)) return plain(device);
    throw new UsageError(
      `--xdp: ${name} is no veth device: elsewhere it is not certain that a frame has no VLAN tag (driver ${device.driver || 'unknown'})`,
    );
  });
}

function plain({ index, name }: NetworkDevice): EarlyDevice {
  return { index, name };
}

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
