/** Where a whole policy can be evaluated outside of netfilter, and which chain that is when nobody says. */

import { DEVICE_KINDS, type DeviceKind } from '../packet/device-kind.ts';
import { type Hook, TABLE_HOOKS, TABLES, type TableName } from '../packet/netfilter.ts';

export type { DeviceKind };

/** A hook of a device, as `--hook` names it. */
export interface DeviceHook {
  readonly kind: DeviceKind;
  readonly device: string;
}

/** The chain of a table that is evaluated at a device. */
export interface DeviceChain {
  readonly table: TableName;
  readonly hook: Hook;
}

/** `tc-ingress:eth0`; undefined when it is nothing like that. */
export function parseDeviceHook(text: string): DeviceHook | undefined {
  const colon = text.indexOf(':');
  const kind = DEVICE_KINDS.find((name) => name === text.slice(0, Math.max(0, colon)));
  const device = text.slice(colon + 1);
  return kind === undefined || device === '' || /[/\s]/.test(device) || device.length > 15
    ? undefined
    : { kind, device };
}

/** What `--hook` calls it. */
export function hookText({ kind, device }: DeviceHook): string {
  return `${kind}:${device}`;
}

/** `INPUT` (of table filter) or `mangle/PREROUTING`; undefined for what is no built-in chain of a table that filters. */
export function parseDeviceChain(text: string): DeviceChain | undefined {
  const [first = '', second, ...rest] = text.split('/');
  const [tableName, hookName] = second === undefined ? ['filter', first] : [first, second];
  const table = TABLES.find((name) => name === tableName);
  if (table === undefined || table === 'nat' || rest.length > 0) return undefined;
  const hook = TABLE_HOOKS[table].hooks.find((name) => name === hookName);
  return hook === undefined ? undefined : { table, hook };
}

/** What a person who says nothing expects: what comes in meets filter INPUT, what goes out filter OUTPUT. */
export function defaultChain(kind: DeviceKind): DeviceChain {
  return kind === 'tc-egress' ? { table: 'filter', hook: 'OUTPUT' } : { table: 'filter', hook: 'INPUT' };
}

export function isIngress(kind: DeviceKind): boolean {
  return kind !== 'tc-egress';
}
